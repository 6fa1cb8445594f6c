/* SPDX-License-Identifier: Apache-2.0 */
#include "op/archive.h"

#include "base/error.h"
#include "base/zone.h"
#include "config/repository.h"
#include "flow/outletstore.h"
#include "op/dbsnapshot.h"
#include "op/exportmanifest.h"
#include "op/runplace.h"
#include "plan/filename.h"
#include <string.h>

#define MANIFEST_MAX (256u * 1024 * 1024)

void archive_item_free(ArchiveItem *item)
{
    g_free(item->source);
    snapshot_free(item->snapshot);
    g_free(item);
}

void archive_log(const ArchivePlace *place, const char *level, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    if (place->request->log)
        place->request->log(level, text, place->request->user);
}

/* ---- the place ---- */

/* As if it were a repository there. */
static bool open_place_of(ArchivePlace *place, GError **error)
{
    const ArchiveConfig *config = place->request->config;
    RepositoryConfig there = {
        .name = config->to,
        .location = config->to,
        .s3_access_key = config->s3_access_key,
        .s3_secret_key = config->s3_secret_key,
        .s3_session_token = config->s3_session_token,
        .s3_region = config->s3_region,
        .options = config->options,
    };

    return run_place_settings(&there, place->request->settings, &place->settings, error) &&
           open_store(&place->settings, config->to, "", true, place->cancel, &place->at, error);
}

static char *with_ending(const char *pattern, const char *format, bool sealed)
{
    g_autofree char *end = g_strconcat(".", format, NULL);
    g_autofree char *sealed_end = g_strconcat(end, ".gpg", NULL);

    if (!pattern || g_str_has_suffix(pattern, sealed ? sealed_end : end))
        return g_strdup(pattern);
    if (g_str_has_suffix(pattern, end))
        return g_strconcat(pattern, ".gpg", NULL);
    return g_strconcat(pattern, sealed ? sealed_end : end, NULL);
}

static void place_done(ArchivePlace *place)
{
    open_store_done(&place->at);
    settings_clear(&place->settings);
    g_clear_pointer(&place->zone, g_time_zone_unref);
    g_free(place->pattern);
    g_free(place->latest);
}

static bool place_open(ArchivePlace *place, GError **error)
{
    const ArchiveConfig *config = place->request->config;
    bool sealed = config->keys || config->passphrase;
    ExportFormat format;

    if (!export_format_parse(config->format, &format, error))
        return false;
    place->pattern = with_ending(config->name, export_format_ending(&format), sealed);
    place->latest = with_ending(config->latest, export_format_ending(&format), sealed);
    place->zone = zone_find(place->request->zone);
    if (!place->zone) {
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "%s: no such time zone",
                    place->request->zone);
        return false;
    }
    return open_place_of(place, error);
}

/* ---- manifests that are there ---- */

bool archive_manifest_load(const ArchivePlace *place, const char *key, json_t **ret_manifest,
                           GError **error)
{
    g_autofree char *name = g_strconcat(key, EXPORT_MANIFEST_SUFFIX, NULL);
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) failure = NULL;

    *ret_manifest = NULL;
    if (!store_get_whole(place->at.store, name, MANIFEST_MAX, &bytes, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
            return true;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    *ret_manifest = json_loadb(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
                               JSON_REJECT_DUPLICATES, NULL); // what is none is not ours
    return true;
}

bool archive_manifest_is_ours(const ArchivePlace *place, const json_t *manifest, const char *key)
{
    const json_t *archive = json_object_get(manifest, "archive");
    const char *schedule = json_string_value(json_object_get(archive, "schedule"));
    const char *file = json_string_value(json_object_get(manifest, "file"));
    g_autofree char *name = g_path_get_basename(key);

    return g_strcmp0(schedule, place->request->schedule) == 0 && g_strcmp0(file, name) == 0;
}

/* What somebody else has put there is not replaced. */
static bool may_write(const ArchivePlace *place, const char *key, GError **error)
{
    json_auto_t *manifest = NULL;
    g_autoptr(GError) failure = NULL;
    uint64_t size;

    if (!archive_manifest_load(place, key, &manifest, error))
        return false;
    if (archive_manifest_is_ours(place, manifest, key))
        return true;
    if (!store_stat(place->at.store, key, &size, &failure) &&
        g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else
        g_set_error(error, BS_ERROR, BS_ERROR_EXISTS,
                    "%s is there and was not written by this schedule; it stays as it is, move it "
                    "away or write to another name",
                    key);
    return false;
}

/* ---- writing ---- */

typedef struct {
    const ArchivePlace *place;
    Repo *repo;
    const ArchiveItem *item; /* of an application the first of them */
    const char *name;        /* of the source; of an application that of the schedule */
    GPtrArray *snapshots;
    ExportRequest export;
    GHashTable *written; /* set of keys of this backup */
} Writing;

static bool put_manifest(const Writing *writing, const char *key, const json_t *manifest,
                         GError **error)
{
    g_autofree char *name = g_strconcat(key, EXPORT_MANIFEST_SUFFIX, NULL);
    g_autofree char *text = json_dumps(manifest, JSON_INDENT(2));

    return store_put(writing->place->at.store, name, text, strlen(text), false, error);
}

static json_t *about(const Writing *writing, bool latest)
{
    const ArchiveRequest *request = writing->place->request;

    return json_pack("{s:s, s:s, s:s, s:b}", "schedule", request->schedule, "source", writing->name,
                     "run", request->run, "latest", latest);
}

static bool write_manifest(const Writing *writing, const char *key, const Exported *exported,
                           bool latest, GError **error)
{
    g_autofree char *file = g_path_get_basename(key);
    json_auto_t *manifest =
        export_manifest_new(writing->item->snapshot, &writing->export, exported, file);

    json_object_set_new(manifest, "archive", about(writing, latest));
    return put_manifest(writing, key, manifest, error);
}

/* In the place of an older one, which must not tell of the new file should that be as far as it
 * gets. That the name is ours it does tell, or no later run would dare to write there. */
static bool begin_manifest(const Writing *writing, const char *key, bool latest, GError **error)
{
    g_autofree char *file = g_path_get_basename(key);
    json_auto_t *manifest =
        json_pack("{s:s, s:o}", "file", file, "archive", about(writing, latest));

    json_object_set_new(json_object_get(manifest, "archive"), "unfinished", json_true());
    return put_manifest(writing, key, manifest, error);
}

/* Nothing has come: then nothing need be told. It is the failure before that counts. */
static void give_up(const Writing *writing, const char *key)
{
    Store *store = writing->place->at.store;
    g_autofree char *name = g_strconcat(key, EXPORT_MANIFEST_SUFFIX, NULL);
    g_autoptr(GError) failure = NULL;
    uint64_t size;

    if (!store_stat(store, key, &size, &failure) &&
        g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        (void)store_remove(store, name, NULL);
}

/* latest: NULL for none. */
static bool write_content(const Writing *writing, const char *key, const char *latest,
                          Exported *ret_exported, GError **error)
{
    Store *store = writing->place->at.store;
    bool ok = begin_manifest(writing, key, false, error) &&
              (!latest || begin_manifest(writing, latest, true, error));

    if (ok) {
        Outlet *out = outlet_store_new(store, key);

        if (latest)
            out = outlet_tee_new(out, outlet_store_new(store, latest));
        ok = op_export_into(writing->repo, writing->snapshots, &writing->export, out,
                            writing->place->cancel, ret_exported, error);
    }
    if (!ok)
        give_up(writing, key);
    if (!ok && latest)
        give_up(writing, latest);
    return ok;
}

static bool claim(const Writing *writing, const char *key, GError **error)
{
    if (!g_hash_table_add(writing->written, g_strdup(key))) {
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                    "%s would be the name of two archives of this backup; put {name} and "
                    "{database} into it, or say of which sources",
                    key);
        return false;
    }
    return may_write(writing->place, key, error);
}

static bool write_file(const Writing *writing, GError **error)
{
    const ArchivePlace *place = writing->place;
    FilenameParts parts = {
        .name = writing->name,
        .schedule = place->request->schedule,
        .database = writing->export.database,
        .run = place->request->run,
        .time = writing->item->snapshot->time.sec,
        .zone = place->zone,
    };
    g_autofree char *key = filename_make(place->pattern, &parts);
    g_autofree char *latest = place->latest ? filename_make(place->latest, &parts) : NULL;
    g_auto(Exported) exported = { 0 };

    if (!claim(writing, key, error) || (latest && !claim(writing, latest, error)) ||
        !write_content(writing, key, latest, &exported, error) ||
        !write_manifest(writing, key, &exported, false, error) ||
        (latest && !write_manifest(writing, latest, &exported, true, error)))
        return false;
    archive_log(place, "info", "archive %s/%s: %" G_GUINT64_FORMAT " bytes, SHA-256 %s",
                place->at.store->location, key, exported.size, id_hex(&exported.sha256).text);
    return true;
}

/* A dump or script is of one database: as many files as there are of those. */
static bool write_databases(Writing *writing, GError **error)
{
    DbSnapshot databases = { 0 };
    g_autoptr(GPtrArray) all = NULL;
    bool ok = db_snapshot_open(writing->repo, writing->item->snapshot, &databases, error) &&
              (all = db_snapshot_choose(&databases, NULL, NULL, error));

    for (guint i = 0; ok && i < all->len; i++) {
        writing->export.database = db_snapshot_text(all->pdata[i], "name");
        ok = write_file(writing, error);
    }
    db_snapshot_done(&databases);
    return ok;
}

static bool write_item(Writing *writing, GError **error)
{
    ExportKind kind = writing->export.format.kind;

    if (kind == EXPORT_DUMP || kind == EXPORT_SQL ? write_databases(writing, error)
                                                  : write_file(writing, error))
        return true;
    g_prefix_error(error, "%s: ", writing->name);
    return false;
}

/* ---- which ---- */

static bool is_for(const ArchiveConfig *config, const ExportFormat *format, const ArchiveItem *item)
{
    static const char *const kinds[] = {
        [EXPORT_DUMP] = "postgres", [EXPORT_SQL] = "postgres", [EXPORT_TAR] = NULL,
        [EXPORT_RDB] = "redis",     [EXPORT_DB] = "sqlite",    [EXPORT_APP] = NULL,
    };
    const char *kind = snapshot_tag_value(item->snapshot, "kind");

    if (config->sources) // what does not fit then is an error
        return g_strv_contains((const char *const *)config->sources, item->source);
    return !kinds[format->kind] || g_strcmp0(kind, kinds[format->kind]) == 0;
}

/* One file of each, or one of all. */
static bool write_each(Writing *writing, const GPtrArray *items, GError **error)
{
    for (guint i = 0; i < items->len; i++) {
        const ArchiveItem *item = items->pdata[i];

        writing->item = item;
        writing->name = item->source;
        g_ptr_array_set_size(writing->snapshots, 0);
        g_ptr_array_add(writing->snapshots, item->snapshot);
        if (!cancel_check(writing->place->cancel, error) || !write_item(writing, error))
            return false;
    }
    return true;
}

static bool write_app(Writing *writing, const GPtrArray *items, GError **error)
{
    writing->item = items->pdata[0];
    writing->name = writing->place->request->schedule;
    for (guint i = 0; i < items->len; i++)
        g_ptr_array_add(writing->snapshots, ((const ArchiveItem *)items->pdata[i])->snapshot);
    return write_file(writing, error);
}

static bool write_all(const ArchivePlace *place, Repo *repo, const GPtrArray *items,
                      const Seal *seal, GError **error)
{
    const ArchiveConfig *config = place->request->config;
    g_autoptr(GHashTable) written = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) snapshots = g_ptr_array_new(), wanted = g_ptr_array_new();
    Writing writing = { .place = place,
                        .repo = repo,
                        .snapshots = snapshots,
                        .export = { .encrypt = seal ? &seal->to : NULL },
                        .written = written };

    if (!export_format_parse(config->format, &writing.export.format, error) ||
        (config->level > 0 &&
         !export_format_set_level(&writing.export.format, config->level, error)))
        return false;
    for (guint i = 0; i < items->len; i++)
        if (is_for(config, &writing.export.format, items->pdata[i]))
            g_ptr_array_add(wanted, items->pdata[i]);
    if (wanted->len == 0) {
        archive_log(place, "warn", "no source of this backup is for archives of format %s",
                    config->format);
        return true;
    }
    return writing.export.format.kind == EXPORT_APP ? write_app(&writing, wanted, error)
                                                    : write_each(&writing, wanted, error);
}

static bool load_seal(const ArchiveConfig *config, Seal *ret_seal, GError **error)
{
    Secret *passphrase = NULL;

    return (!config->passphrase ||
            reference_resolve("passphrase", config->passphrase, &passphrase, error)) &&
           seal_load(config->keys, config->recipients, passphrase, ret_seal, error);
}

bool op_archive(Repo *repo, const ArchiveRequest *request, const GPtrArray *items,
                const Cancel *cancel, GError **error)
{
    const ArchiveConfig *config = request->config;
    ArchivePlace place = { .request = request, .cancel = cancel };
    g_auto(Seal) seal = { 0 };
    bool sealed = config->keys || config->passphrase;
    bool ok = (!sealed || load_seal(config, &seal, error)) && place_open(&place, error) &&
              write_all(&place, repo, items, sealed ? &seal : NULL, error) &&
              (request->keep_all || archive_keep(&place, error));

    place_done(&place);
    if (!ok)
        g_prefix_error(error, "archives in %s: ", config->to);
    return ok;
}

bool op_archive_sweep(const ArchiveRequest *request, const Cancel *cancel, GError **error)
{
    ArchivePlace place = { .request = request, .cancel = cancel };
    bool ok = place_open(&place, error) && archive_keep(&place, error);

    place_done(&place);
    if (!ok)
        g_prefix_error(error, "archives in %s: ", request->config->to);
    return ok;
}
