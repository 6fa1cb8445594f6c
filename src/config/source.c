/* SPDX-License-Identifier: Apache-2.0 */
#include "config/source.h"

#include "config/types.h"
#include <string.h>

#define AT(member) G_STRUCT_OFFSET(SourceConfig, member)

/* ---- options: those of `backup` that tell what a source is ---- */

static const Field option_fields[] = {
    { "tag", FIELD_LIST, .type = &type_text, .help = "tags of its snapshots" },
    { "host", FIELD_TEXT, .type = &type_text, .help = "host name to save" },
    { "exclude", FIELD_LIST, .type = &type_text, .help = "leave out what matches",
      .example = "['*.tmp', node_modules]" },
    { "iexclude", FIELD_LIST, .type = &type_text, .help = "the same, ignoring case" },
    { "exclude-file", FIELD_LIST, .type = &type_path, .help = "patterns from a file" },
    { "iexclude-file", FIELD_LIST, .type = &type_path, .help = "the same, ignoring case" },
    { "exclude-caches", FIELD_FLAG, .help = "leave out directories marked by CACHEDIR.TAG",
      .example = "true" },
    { "exclude-if-present", FIELD_LIST, .type = &type_text,
      .help = "leave out directories that hold this file" },
    { "exclude-larger-than", FIELD_TEXT, .type = &type_size_text,
      .help = "leave out larger files" },
    { "one-file-system", FIELD_FLAG, .help = "stay on the file system of each path" },
    { "ignore-ctime", FIELD_FLAG, .help = "a changed ctime alone is no change" },
    { "ignore-inode", FIELD_FLAG, .help = "a changed inode alone is no change" },
    { "with-atime", FIELD_FLAG, .help = "save access times" },
    { "skip-if-unchanged", FIELD_FLAG, .help = "no new snapshot when nothing changed" },
    { "no-scan", FIELD_FLAG, .help = "do not estimate the size beforehand" },
    { "database", FIELD_LIST, .type = &type_text, .help = "PostgreSQL: only these databases" },
    { "exclude-database", FIELD_LIST, .type = &type_text,
      .help = "PostgreSQL: of a whole server, without databases that match" },
    { "table", FIELD_LIST, .type = &type_text, .help = "PostgreSQL: only tables that match" },
    { "schema", FIELD_LIST, .type = &type_text, .help = "PostgreSQL: only schemas that match" },
    { "exclude-schema", FIELD_LIST, .type = &type_text,
      .help = "PostgreSQL: without schemas that match" },
    { "exclude-table-data", FIELD_LIST, .type = &type_text,
      .help = "PostgreSQL: definition without rows" },
    { "jobs", FIELD_NUMBER, .min = 1, .max = 256,
      .help = "PostgreSQL: dump so many tables at once; needs scratch", .example = "4" },
    { "scratch", FIELD_TEXT, .type = &type_path,
      .help = "PostgreSQL: dump in directory format, into a directory below this one until it is "
              "saved" },
    { "checkpoint", FIELD_TEXT, .words = (const char *const[]){ "spread", "fast", NULL },
      .help = "clusters: the checkpoint at the start" },
    { "max-rate", FIELD_TEXT, .type = &type_size_text,
      .help = "clusters: what the server may send in a second" },
    { "settled", FIELD_TEXT, .type = &type_wait_text,
      .help = "clusters from their directory: when a file counts as settled" },
    { "no-verify-page-checksums", FIELD_FLAG,
      .help = "clusters: save damaged pages, too, instead of failing" },
    { "consistency", FIELD_TEXT,
      .words = (const char *const[]){ "auto", "lvm", "freeze", "hook", "none", NULL },
      .help = "volumes: how they hold still while they are read" },
    { "freeze-limit", FIELD_TEXT, .type = &type_wait_text,
      .help = "volumes: thaw after so long in any case" },
};

const Table source_options_table = {
    .title = "options of sources",
    .help = "Long options of `backstay backup`, as if they were typed.",
    .fields = option_fields,
    .n = G_N_ELEMENTS(option_fields),
};

/* ---- facts ---- */

static const Field fact_fields[] = {
    { "name", FIELD_TEXT, .type = &type_text, .required = true, .help = "what it is called",
      .example = "schema_version" },
    { "sql", FIELD_TEXT, .type = &type_command, .help = "a query of one value",
      .example = "select max(version) from migrations" },
    { "env", FIELD_TEXT, .type = &type_text, .help = "a variable of the environment" },
    { "file", FIELD_TEXT, .type = &type_path, .help = "a file, of which the first line counts" },
    { "variable", FIELD_TEXT, .type = &type_text,
      .help = "of that file, one of lines NAME=value such as .env, the value of this name" },
    { "redis", FIELD_TEXT, .type = &type_text,
      .help = "a command that reads: GET KEY, HGET KEY FIELD, DBSIZE, and a few that count",
      .example = "GET shop:version" },
    { "command", FIELD_TEXT, .type = &type_command,
      .help = "a command, of which the output counts" },
    { "timeout", FIELD_TEXT, .type = &type_wait_text, .fallback = "\"30s\"",
      .help = "how long a query or command may take" },
    { "required", FIELD_FLAG, .fallback = "false",
      .help = "without it there is no backup (default: only a warning)" },
};

/* Of a variable that holds a secret, as far as its name tells; that of an id does not. */
static bool names_secret(const char *name)
{
    static const char *const words[] = { "PASSWORD",     "PASSPHRASE", "SECRET",     "TOKEN",
                                         "PRIVATE",      "_PASS",      "CREDENTIAL", "_KEY",
                                         "DATABASE_URL", "REDIS_URL" };
    g_autofree char *upper = g_ascii_strup(name, -1);

    if (g_str_has_suffix(upper, "KID") || g_str_has_suffix(upper, "_ID"))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (strstr(upper, words[i]))
            return true;
    return false;
}

/* A fact is no secret: it is shown to everybody who may look at a backup. */
static void refuse_secrets(const json_t *object, const char *pointer, Problems *problems)
{
    static const char *const keys[] = { "env", "variable" };

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        const char *name = json_string_value(json_object_get(object, keys[i]));

        if (name && names_secret(name))
            problems_add_key(problems, pointer,
                             "by its name the variable holds a secret, and facts are shown; name "
                             "one that holds an id (..._ID, ..._KID)");
    }
}

static void verify_fact(const json_t *object, const char *pointer, Problems *problems)
{
    static const char *const ways[] = { "sql", "env", "file", "command", "redis" };
    unsigned n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++)
        n += json_object_get(object, ways[i]) != NULL;
    if (n != 1)
        problems_add_key(problems, pointer,
                         "a fact has exactly one of sql, env, file, command, redis");
    if (json_object_get(object, "variable") && !json_object_get(object, "file"))
        problems_add_key(problems, pointer, "variable goes with file: the file that it stands in");
    refuse_secrets(object, pointer, problems);
}

const Table source_facts_table = {
    .title = "facts of sources",
    .help = "Values that are saved with each snapshot and compared before a restore.",
    .fields = fact_fields,
    .n = G_N_ELEMENTS(fact_fields),
    .verify = verify_fact,
};

/* ---- a source ---- */

static const Field fields[] = {
    { "url", FIELD_TEXT, AT(url), &type_source_url,
      .help = "what to save, as `backup` takes it, without a password: "
              "postgresql://user@host/database, pgcluster:..., redis://host, sqlite:/path, "
              "volume:/path, k3s:/path",
      .example = "postgresql://backup@db1/shop" },
    { "paths", FIELD_LIST, AT(paths), &type_path,
      .help = "files and directories, instead of a url" },
    { "password", FIELD_TEXT, AT(password), &type_reference,
      .help = "where the password of the database is", .example = "file:///etc/backstay/shop-db" },
    { "options", FIELD_JSON, AT(options), .table = &source_options_table,
      .help = "options of backup, as below" },
    { "facts", FIELD_OBJECTS, AT(facts), .table = &source_facts_table,
      .help = "facts to save with each snapshot, as below" },
    { "labels", FIELD_PAIRS, AT(labels), &type_text,
      .help = "names with values, by which schedules select sources", .example = "{tier: gold}" },
    { "secret", FIELD_FLAG, AT(secret), .help = "only administrators download it by the API" },
};

static void verify(const json_t *object, const char *pointer, Problems *problems)
{
    const char *text = json_string_value(json_object_get(object, "url"));
    bool url = text != NULL, paths = json_array_size(json_object_get(object, "paths")) > 0;

    if (url == paths)
        problems_add_key(problems, pointer,
                         url ? "url and paths: leave one"
                             : "what is to be saved? write url or paths");
    if (json_object_get(object, "password") && (!url || !strstr(text, "://")))
        problems_add_key(problems, pointer, "password is for servers; files need none");
}

const Table source_table = {
    .title = "sources",
    .help = "Things worth backing up, by name. `backstay backup @NAME` saves one.",
    .fields = fields,
    .n = G_N_ELEMENTS(fields),
    .verify = verify,
};

SourceConfig *source_config_new(const char *name, const json_t *object)
{
    SourceConfig *source = g_new0(SourceConfig, 1);

    source->name = g_strdup(name);
    table_fill(&source_table, object, source);
    source->operands =
        source->paths ? g_strdupv(source->paths) : g_strdupv((char *[]){ source->url, NULL });
    return source;
}

void source_config_free(SourceConfig *source)
{
    if (!source)
        return;
    table_clear(&source_table, source);
    g_strfreev(source->operands);
    g_free(source->name);
    g_free(source);
}

static void add_argument(GStrvBuilder *arguments, const char *key, const json_t *value)
{
    g_autofree char *argument = NULL;

    if (json_is_true(value))
        argument = g_strconcat("--", key, NULL);
    else if (json_is_integer(value))
        argument = g_strdup_printf("--%s=%" JSON_INTEGER_FORMAT, key, json_integer_value(value));
    else if (json_is_string(value))
        argument = g_strconcat("--", key, "=", json_string_value(value), NULL);
    if (argument)
        g_strv_builder_add(arguments, argument);
}

static bool has_scheme(const SourceConfig *source, const char *const *schemes)
{
    for (; source->url && *schemes; schemes++)
        if (g_str_has_prefix(source->url, *schemes))
            return true;
    return false;
}

bool source_config_is_server(const SourceConfig *source)
{
    static const char *const schemes[] = { "postgresql://", "postgres://", "redis://", "rediss://",
                                           NULL };

    return has_scheme(source, schemes);
}

bool source_config_is_volume(const SourceConfig *source)
{
    static const char *const schemes[] = { "volume:", NULL };

    return has_scheme(source, schemes);
}

bool source_config_is_place(const SourceConfig *source)
{
    static const char *const schemes[] = { "sqlite:", NULL };

    return has_scheme(source, schemes) || source_config_is_volume(source);
}

char **source_config_arguments(const SourceConfig *source)
{
    g_autoptr(GStrvBuilder) arguments = g_strv_builder_new();
    const json_t *value, *item;
    const char *key;
    size_t i;

    json_object_foreach(source->options, key, value)
    {
        add_argument(arguments, key, value);
        json_array_foreach((json_t *)value, i, item) add_argument(arguments, key, item);
    }
    return g_strv_builder_end(arguments);
}
