/* SPDX-License-Identifier: Apache-2.0 */
#include "config/fromenv.h"

#include "codec/jsonreader.h"
#include "config/reference.h"
#include "config/s3.h"
#include "config/settings.h"
#include "config/types.h"
#include "config/yaml.h"
#include <string.h>

#define KEY_BYTES 32
#define KEPT      3 /* as of the backups themselves */

typedef struct {
    json_t *tree;
    GHashTable *marks;
    Problems *problems;
} Reading;

static const char *env(const char *name)
{
    const char *value = g_getenv(name);

    return value && *value ? value : NULL;
}

/* Of NAME, NAME_FILE or NAME_COMMAND: a reference to what it holds; NULL: not set. */
static char *secret_at(Reading *reading, const char *name)
{
    g_autofree char *file_name = g_strconcat(name, "_FILE", NULL);
    g_autofree char *command_name = g_strconcat(name, "_COMMAND", NULL);
    const char *plain = env(name), *file = env(file_name), *command = env(command_name);

    if (!!plain + !!file + !!command > 1)
        problems_add(reading->problems, NULL,
                     "%s is given in more than one way (itself, _FILE, _COMMAND); leave one", name);
    if (plain)
        return g_strconcat("env://", name, NULL);
    if (file)
        return g_strconcat("file://", file, NULL);
    return command ? g_strconcat("command://", command, NULL) : NULL;
}

static void mark(Reading *reading, const char *pointer, const char *variable)
{
    const Mark mark = { .variable = variable };

    g_hash_table_replace(reading->marks, g_strdup(pointer), g_memdup2(&mark, sizeof mark));
}

/* The value at pointer and all that is in it. */
static void mark_all(Reading *reading, const char *pointer, json_t *value, const char *variable)
{
    const char *key;
    json_t *member;
    size_t i;

    mark(reading, pointer, variable);
    json_object_foreach(value, key, member)
    {
        g_autofree char *in = pointer_join(pointer, key);

        mark_all(reading, in, member, variable);
    }
    json_array_foreach(value, i, member)
    {
        g_autofree char *name = g_strdup_printf("%zu", i), *in = pointer_join(pointer, name);

        mark_all(reading, in, member, variable);
    }
}

/* Sets tree/section/name/key and where it comes from. */
static void set(Reading *reading, const char *section, const char *name, const char *key,
                json_t *value, const char *variable)
{
    json_t *sections = json_object_get(reading->tree, section), *object;
    g_autofree char *in = pointer_join("", section), *of = pointer_join(in, name);
    g_autofree char *pointer = pointer_join(of, key);

    if (!sections) {
        sections = json_object();
        json_object_set_new(reading->tree, section, sections);
    }
    object = json_object_get(sections, name);
    if (!object) {
        object = json_object();
        json_object_set_new(sections, name, object);
    }
    json_object_set_new(object, key, value);
    mark_all(reading, pointer, value, variable);
}

static void set_text(Reading *reading, const char *section, const char *name, const char *key,
                     const char *value, const char *variable)
{
    set(reading, section, name, key, json_string(value), variable);
}

/* ---- the repository ---- */

/* The key is not derived from: the text itself is the password, so that stock restic takes it. */
static void check_key(Reading *reading, const char *reference)
{
    g_autoptr(Secret) key = NULL;
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) bytes = NULL;

    if (g_str_has_prefix(reference, "command://"))
        return; // run when it is used, not whenever somebody looks
    if (!reference_resolve("BACKUP_ENCRYPTION_KEY", reference, &key, &problem)) {
        problems_add(reading->problems, NULL, "%s", problem->message);
        return;
    }
    bytes = json_parse_base64(secret_data(key), secret_len(key));
    if (!bytes || g_bytes_get_size(bytes) != KEY_BYTES)
        problems_add(reading->problems, NULL,
                     "BACKUP_ENCRYPTION_KEY is not %d bytes in base64; make one with "
                     "`head -c %d /dev/urandom | base64`, and keep it elsewhere, too",
                     KEY_BYTES, KEY_BYTES);
}

static void read_keys(Reading *reading)
{
    g_autofree char *access = secret_at(reading, "BACKUP_S3_ACCESS_KEY");
    g_autofree char *secret = secret_at(reading, "BACKUP_S3_SECRET_KEY");
    json_t *keys = json_object();

    if (access)
        json_object_set_new(keys, "access_key", json_string(access));
    if (secret)
        json_object_set_new(keys, "secret_key", json_string(secret));
    if (access || secret)
        set(reading, "repositories", "main", "s3", json_incref(keys), "BACKUP_S3_ACCESS_KEY");
    if (secret)
        mark(reading, "/repositories/main/s3/secret_key", "BACKUP_S3_SECRET_KEY");
    json_decref(keys);
}

static void read_repository(Reading *reading)
{
    g_autofree char *bucket = s3_location_from_environment();
    const char *named = settings_env("REPOSITORY");
    g_autofree char *key = secret_at(reading, "BACKUP_ENCRYPTION_KEY");

    if (named)
        set_text(reading, "repositories", "main", "location", named, "BACKSTAY_REPOSITORY");
    else if (bucket)
        set_text(reading, "repositories", "main", "location", bucket, "BACKUP_S3_BUCKET");
    else
        problems_add(reading->problems, NULL,
                     "ENABLE_BACKUPS is set, but not where to: set BACKUP_S3_ENDPOINT and "
                     "BACKUP_S3_BUCKET, or BACKSTAY_REPOSITORY");
    if (!named || g_str_has_prefix(named, "s3:"))
        read_keys(reading);
    if (key) {
        check_key(reading, key);
        set_text(reading, "repositories", "main", "password", key, "BACKUP_ENCRYPTION_KEY");
    } else if (!settings_env("PASSWORD") && !settings_env("PASSWORD_FILE") &&
               !settings_env("PASSWORD_COMMAND") && !settings_env("KEY_FILE")) {
        problems_add(reading->problems, NULL,
                     "ENABLE_BACKUPS is set, but no password of the repository: set "
                     "BACKUP_ENCRYPTION_KEY (or _FILE), or BACKSTAY_PASSWORD_FILE");
    }
}

/* ---- sources ---- */

/* Of a URL in a variable: itself without its password, and where that is. */
static void read_url(Reading *reading, const char *source, const char *variable)
{
    g_autofree char *plain = url_without_password(env(variable));
    g_autofree char *reference = g_strconcat("env://", variable, "#password", NULL);

    set_text(reading, "sources", source, "url", plain, variable);
    if (url_has_password(env(variable)))
        set_text(reading, "sources", source, "password", reference, variable);
}

/* libpq reads the other variables itself. */
static void read_libpq(Reading *reading)
{
    static const char *const names[] = { "PGDATABASE", "PGHOST", "PGHOSTADDR", "PGSERVICE" };
    g_autofree char *database =
        env("PGDATABASE") ? g_uri_escape_string(env("PGDATABASE"), NULL, FALSE) : g_strdup("");
    g_autofree char *url = g_strconcat("postgresql:///", database, NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (env(names[i])) {
            set_text(reading, "sources", "postgresql", "url", url, names[i]);
            return;
        }
}

static void read_sources(Reading *reading)
{
    if (env("DATABASE_URL"))
        read_url(reading, "postgresql", "DATABASE_URL");
    else
        read_libpq(reading);
    if (env("REDIS_URL"))
        read_url(reading, "redis", "REDIS_URL");
    if (!json_object_get(reading->tree, "sources"))
        problems_add(reading->problems, NULL,
                     "ENABLE_BACKUPS is set, but not of what: set DATABASE_URL, PGHOST or "
                     "REDIS_URL");
}

/* ---- archives ---- */

/* What standard tools restore, under names that stay. */
static const struct {
    const char *source, *format, *latest;
} archived[] = {
    { "postgresql", "sql.gz", "latest.sql.gz" },
    { "redis", "rdb", "latest.rdb" },
};

/* The whole of a server is several files, of which none is the latest. */
static bool names_a_database(const json_t *source)
{
    const char *url = json_string_value(json_object_get(source, "url"));
    const char *host = url ? strstr(url, "://") : NULL;
    const char *path = host ? strchr(host + 3, '/') : NULL;

    return !path || (path[1] && path[1] != '?');
}

/* The repository's key is at hand, and what lies outside of it shall not be open. */
static void read_archives(Reading *reading)
{
    const char *to = env("BACKUP_ARCHIVES");
    const json_t *sources = json_object_get(reading->tree, "sources");
    const json_t *repositories = json_object_get(reading->tree, "repositories");
    const char *key =
        json_string_value(json_object_get(json_object_get(repositories, "main"), "password"));
    json_t *list = json_array();

    for (size_t i = 0; to && i < G_N_ELEMENTS(archived); i++) {
        const json_t *source = json_object_get(sources, archived[i].source);
        json_t *archive;

        if (!source)
            continue;
        archive = json_pack("{s:s, s:[s], s:s, s:{s:i}}", "to", to, "sources", archived[i].source,
                            "format", archived[i].format, "keep", "last", KEPT);
        if (i > 0 || names_a_database(source))
            json_object_set_new(archive, "latest", json_string(archived[i].latest));
        if (key)
            json_object_set_new(archive, "encrypt", json_pack("{s:s}", "passphrase", key));
        json_array_append_new(list, archive);
    }
    if (json_array_size(list) > 0)
        set(reading, "schedules", "backup", "archives", json_incref(list), "BACKUP_ARCHIVES");
    json_decref(list);
}

/* ---- the schedule ---- */

static void read_schedule(Reading *reading)
{
    const char *when = env("BACKUP_SCHEDULE"), *zone = env("TZ");
    json_t *sources = json_array();
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(reading->tree, "sources"), name, value)
        json_array_append_new(sources, json_string(name));
    set(reading, "schedules", "backup", "sources", sources, "ENABLE_BACKUPS");
    set_text(reading, "schedules", "backup", "repository", "main", "ENABLE_BACKUPS");
    set_text(reading, "schedules", "backup", "cron", when ? when : "daily",
             when ? "BACKUP_SCHEDULE" : "ENABLE_BACKUPS");
    if (zone && type_zone.parse(zone, NULL, NULL)) // TZ may be of other forms
        set_text(reading, "schedules", "backup", "timezone", zone, "TZ");
    read_archives(reading);
}

/* ---- the server ---- */

static void set_server(Reading *reading, const char *group, const char *key, const char *variable)
{
    json_t *server = json_object_get(reading->tree, "server");
    g_autofree char *pointer =
        group ? g_strdup_printf("/server/%s/%s", group, key) : g_strconcat("/server/", key, NULL);

    if (!server) {
        server = json_object();
        json_object_set_new(reading->tree, "server", server);
    }
    if (group && !json_object_get(server, group))
        json_object_set_new(server, group, json_object());
    json_object_set_new(group ? json_object_get(server, group) : server, key,
                        json_string(env(variable)));
    mark(reading, pointer, variable);
}

/* Nobody listens unless he is told to: what a container does not ask for is not opened. */
static void read_server(Reading *reading)
{
    if (env("BACKSTAY_LISTEN"))
        set_server(reading, NULL, "listen", "BACKSTAY_LISTEN");
    if (env("BACKSTAY_TLS_CERTIFICATE"))
        set_server(reading, "tls", "certificate", "BACKSTAY_TLS_CERTIFICATE");
    if (env("BACKSTAY_TLS_KEY"))
        set_server(reading, "tls", "key", "BACKSTAY_TLS_KEY");
    if (env("BACKSTAY_METRICS_PREFIX"))
        set_server(reading, "metrics", "prefix", "BACKSTAY_METRICS_PREFIX");
    if (env("BACKSTAY_METRICS_TEXTFILE"))
        set_server(reading, "metrics", "textfile", "BACKSTAY_METRICS_TEXTFILE");
}

/* ---- the whole ---- */

static bool is_enabled(Problems *problems)
{
    static const char *const on[] = { "true", "1", "yes", "on", NULL };
    static const char *const off[] = { "false", "0", "no", "off", NULL };
    const char *value = env("ENABLE_BACKUPS");
    g_autofree char *word = value ? g_ascii_strdown(value, -1) : NULL;

    if (word && !g_strv_contains(on, word) && !g_strv_contains(off, word))
        problems_add(problems, NULL, "ENABLE_BACKUPS is \"%s\"; write true or false", value);
    return word && g_strv_contains(on, word);
}

bool environment_tree(json_t **ret_tree, GHashTable *marks, Problems *problems)
{
    Reading reading = { .marks = marks, .problems = problems };

    if (!is_enabled(problems))
        return false;
    reading.tree = json_object();
    read_repository(&reading);
    read_sources(&reading);
    read_schedule(&reading);
    read_server(&reading);
    *ret_tree = reading.tree;
    return true;
}
