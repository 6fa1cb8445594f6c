/* SPDX-License-Identifier: Apache-2.0 */
#include "source/import.h"

#include "base/error.h"
#include "pg/url.h"
#include "source/importing.h"
#include "source/pgcluster.h"
#include "source/pgfacts.h"
#include <string.h>

static bool import_backup(Source *base, Sink *sink, const SourceRun *run, GError **error);
static void import_free(Source *base);
static void import_inherit(Source *base, const SourceParent *parent);

static const SourceOps postgres_ops = { .kind = "postgres",
                                        .backup = import_backup,
                                        .free = import_free };
static const SourceOps sqlite_ops = {
    .kind = "sqlite", .inherit = import_inherit, .backup = import_backup, .free = import_free
};
static const SourceOps files_ops = { .kind = "files",
                                     .backup = import_backup,
                                     .free = import_free };
static const SourceOps redis_ops = { .kind = "redis",
                                     .backup = import_backup,
                                     .free = import_free };

/* ---- formats ---- */

static const struct {
    const char *name, *what;
    const SourceOps *ops;
    bool (*is)(const uint8_t *data, size_t n);
    bool (*run)(Import *import, GError **error);
    bool whole; /* run does all, from the top folder to the end */
} formats[N_IMPORT_FORMATS] = {
    [IMPORT_DUMP] = { "dump", "a dump of pg_dump in custom format", &postgres_ops, import_is_dump,
                      import_dump },
    [IMPORT_DIRECTORY] = { "dir", "an archive of tar with a dump of pg_dump in directory format",
                           &postgres_ops, import_is_dump_files, import_directory, true },
    [IMPORT_SQL] = { "sql", "a plain dump of pg_dump", &postgres_ops, import_is_sql, import_sql },
    [IMPORT_RDB] = { "rdb", "a Redis database file", &redis_ops, import_is_rdb, import_rdb },
    [IMPORT_SQLITE] = { "sqlite", "an SQLite database", &sqlite_ops, import_is_sqlite,
                        import_sqlite },
    [IMPORT_APPLICATION] = { "app", "the archive of an application", &postgres_ops,
                             import_is_application, import_application, true },
    [IMPORT_FILES] = { "tar", "an archive of tar", &files_ops, import_is_tar, import_files, true },
};

const char *import_format_name(ImportFormat format)
{
    return formats[format].name;
}

bool import_format_parse(const char *text, ImportFormat *ret_format, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (ImportFormat format = IMPORT_DETECT + 1; format < N_IMPORT_FORMATS; format++) {
        if (strcmp(text, formats[format].name) == 0) {
            *ret_format = format;
            return true;
        }
        g_string_append_printf(names, "%s%s",
                               names->len == 0                  ? ""
                               : format == N_IMPORT_FORMATS - 1 ? " or "
                                                                : ", ",
                               formats[format].name);
    }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: must be %s", text, names->str);
    return false;
}

ImportFormat import_look(const uint8_t *data, size_t n)
{
    for (ImportFormat format = IMPORT_DETECT + 1; format < N_IMPORT_FORMATS; format++)
        if (formats[format].is(data, n))
            return format;
    return IMPORT_DETECT;
}

/* "<app>_backup_YYYYMMDD_HHMMSS" */
static bool is_named_application(const char *file)
{
    return g_regex_match_simple("_backup_[0-9]{8}_[0-9]{6}[.]", file, 0, 0);
}

/* The name of a file says little: what it is, it begins with. */
static bool detect(ImportSource *source, ImportFormat wanted, GError **error)
{
    const uint8_t *data;
    size_t n;

    if (!inlet_peek(source->inlet, IMPORT_LOOK_LEN, &data, &n, error))
        return false;
    source->format = import_look(data, n);
    if (source->format == IMPORT_FILES && wanted == IMPORT_DETECT &&
        is_named_application(source->file))
        source->format = IMPORT_APPLICATION;
    if (wanted != IMPORT_DETECT &&
        (formats[wanted].is(data, n) || (wanted == IMPORT_APPLICATION && import_is_tar(data, n))))
        source->format = wanted;
    if (source->format != IMPORT_DETECT && (wanted == IMPORT_DETECT || wanted == source->format))
        return true;
    if (n == 0)
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "the file is empty");
    else if (wanted != IMPORT_DETECT)
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "it does not begin as %s does",
                    formats[wanted].what);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "it begins like nothing that can be imported");
    return false;
}

char *import_stem(const char *file)
{
    static const char *const ends[] = { ".gpg",     ".pgp", ".asc", ".gz",    ".zst",
                                        ".dump",    ".sql", ".rdb", ".db",    ".sqlite",
                                        ".sqlite3", ".tar", ".tgz", ".backup" };
    char *stem = g_path_get_basename(file);
    bool found = true;

    while (found) {
        found = false;
        for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
            size_t len = strlen(stem), end = strlen(ends[i]);

            if (len > end && strcmp(stem + len - end, ends[i]) == 0) {
                stem[len - end] = '\0';
                found = true;
            }
        }
    }
    return stem;
}

/* ---- the manifest beside it ---- */

const json_t *import_recorded(const Import *import, const char *database)
{
    const json_t *recorded = json_object_get(import->source->sidecar, "recorded");
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(recorded, "databases"), i, item)
    {
        if (g_strcmp0(json_string_value(json_object_get(item, "name")), database) == 0)
            return item;
    }
    return NULL;
}

static bool agrees(const ImportSource *source, GError **error)
{
    const json_t *size = json_object_get(source->sidecar, "size");
    const char *sha256 = json_string_value(json_object_get(source->sidecar, "sha256"));

    if (json_is_integer(size) && (uint64_t)json_integer_value(size) != source->count.size) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "it has %" G_GUINT64_FORMAT
                    " bytes, but the manifest beside it says %" JSON_INTEGER_FORMAT
                    "; one of them is not whole, or was changed",
                    source->count.size, json_integer_value(size));
        return false;
    }
    if (sha256 && g_ascii_strcasecmp(sha256, id_hex(&source->count.sha256).text) != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "its SHA-256 is %s, but the manifest beside it says %.64s; one of them was "
                    "changed",
                    id_hex(&source->count.sha256).text, sha256);
        return false;
    }
    return true;
}

/* ---- the backup ---- */

static json_t *describe_import(const ImportSource *source)
{
    json_t *imported = json_object();

    (void)json_object_set_new(imported, "file", pg_facts_text(source->file, NULL));
    (void)json_object_set_new(imported, "origin", pg_facts_text(source->origin, NULL));
    (void)json_object_set_new(imported, "format", json_string(formats[source->format].name));
    if (source->encrypted)
        (void)json_object_set_new(imported, "encrypted", json_true());
    if (source->packed)
        (void)json_object_set_new(imported, "packed", json_string(source->packed));
    (void)json_object_set_new(imported, "size", json_integer((json_int_t)source->count.size));
    (void)json_object_set_new(imported, "sha256", json_string(id_hex(&source->count.sha256).text));
    (void)json_object_set_new(imported, "checked_against_manifest",
                              json_boolean(json_object_get(source->sidecar, "sha256") != NULL));
    if (source->modified_at >= 0)
        (void)json_object_set_new(imported, "modified",
                                  pg_facts_time((Timestamp){ .sec = source->modified_at }));
    return imported;
}

bool import_claim(Import *import, const char *file, GError **error)
{
    if (g_hash_table_add(import->claimed, g_strdup(file)))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "it holds a database twice: %s", file);
    return false;
}

bool import_finish(Import *import, GError **error)
{
    ImportSource *source = import->source;

    if ((source->inlet && !inlet_expect_end(source->inlet, error)) || !agrees(source, error))
        return false;
    (void)json_object_set_new(import->manifest, "imported", describe_import(source));
    import_add_facts(import);
    return pg_push_manifest(&import->push, import->manifest, error);
}

static bool push_all(Import *import, GError **error)
{
    ImportFormat format = import->source->format;
    void *top;

    if (formats[format].whole)
        return formats[format].run(import, error);
    if (!pg_push_begin(&import->push, NULL, S_IFDIR | 0700, &top, error))
        return false;
    if (!formats[format].run(import, error) || !import_finish(import, error)) {
        sink_abandon(import->push.sink, top);
        return false;
    }
    return sink_end(import->push.sink, top, NULL, error);
}

static json_t *describe_source(const ImportSource *source)
{
    json_t *facts = json_object();

    (void)json_object_set_new(facts, "kind", json_string(source->base.ops->kind));
    (void)json_object_set_new(facts, "name", pg_facts_text(source->base.name, NULL));
    return facts;
}

static bool import_backup(Source *base, Sink *sink, const SourceRun *run, GError **error)
{
    ImportSource *source = (ImportSource *)base;
    Import import = {
        .source = source,
        .inlet = source->inlet,
        .file = source->file,
        .claimed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .manifest = json_object(),
    };
    bool ok;

    pg_push_init(&import.push, base->name, sink, run);
    (void)json_object_set_new(import.manifest, "manifest_version", json_integer(1));
    (void)json_object_set_new(import.manifest, "backstay_version", json_string(BS_VERSION));
    (void)json_object_set_new(import.manifest, "source", describe_source(source));
    (void)json_object_set_new(import.manifest, "started", pg_facts_time(import.push.time));
    ok = push_all(&import, error);
    json_decref(import.manifest);
    g_hash_table_unref(import.claimed);
    pg_push_done(&import.push);
    if (!ok)
        g_prefix_error(error, "%s: ", source->file);
    return ok;
}

/* ---- the source ---- */

static void import_inherit(Source *base, const SourceParent *parent)
{
    ((ImportSource *)base)->parent_cut = pgcluster_parent_cut(parent->tags);
}

static void import_free(Source *base)
{
    ImportSource *source = (ImportSource *)base;

    inlet_free(source->inlet);
    json_decref(source->sidecar);
    g_free(source->directory);
    g_free(source->origin);
    g_free(source->file);
    g_free(source->database);
    g_free(source);
}

static char *default_name(const char *file)
{
    g_autofree char *stem = import_stem(file);

    return g_strconcat("import-", stem, NULL);
}

static bool name_is_good(const char *name, GError **error)
{
    if (!name || (*name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "\"%s\" cannot be the name of a source", name);
    return false;
}

/* Nothing of it is packed or encrypted as a whole. */
static Source *directory_source(ImportSource *source, const ImportOptions *options,
                                const char *name, GError **error)
{
    source->directory = g_strdup(options->directory);
    source->format = IMPORT_DIRECTORY;
    if (!name_is_good(options->name, error)) {
        import_free(&source->base);
        return NULL;
    }
    if (options->format != IMPORT_DETECT && options->format != IMPORT_DIRECTORY) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "%s: it is a directory, not %s",
                    options->file, formats[options->format].what);
        import_free(&source->base);
        return NULL;
    }
    source_init(&source->base, &postgres_ops, pg_escape_name(name));
    return &source->base;
}

Source *import_source_new(Inlet *inlet, const ImportOptions *options, GError **error)
{
    ImportSource *source = g_new0(ImportSource, 1);
    g_autofree char *name = options->name ? g_strdup(options->name) : default_name(options->file);

    source->origin = g_strdup(options->origin);
    source->file = g_strdup(options->file);
    source->database = g_strdup(options->database);
    source->modified_at = options->modified_at;
    source->entries_max = options->entries_max;
    source->bounds = options->bounds;
    source->sidecar = json_incref((json_t *)options->sidecar);
    if (options->directory)
        return directory_source(source, options, name, error);
    inlet = inlet_openpgp_new(inlet_count_new(inlet, &source->count), "OpenPGP", &options->with,
                              options->cancel, &source->encrypted, error);
    if (inlet)
        source->inlet = inlet_unpack_new(inlet, &options->bounds, &source->packed, error);
    if (!source->inlet || !name_is_good(options->name, error) ||
        !detect(source, options->format, error)) {
        g_prefix_error(error, "%s: ", options->file);
        import_free(&source->base);
        return NULL;
    }
    source_init(&source->base, formats[source->format].ops, pg_escape_name(name));
    return &source->base;
}

ImportFormat import_source_format(const Source *source)
{
    return ((const ImportSource *)source)->format;
}

OutletCount import_source_count(const Source *source)
{
    return ((const ImportSource *)source)->count;
}
