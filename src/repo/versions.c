/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/versions.h"

#include "base/error.h"
#include "codec/hash.h"
#include "repo/index.h"
#include <string.h>

#define OBJECT_MAX (256u * 1024 * 1024) /* as for a check */

/* ---- what has more than one version ---- */

typedef struct {
    char *id;
    int64_t at; /* Unix seconds */
    bool latest, removed;
} Past;

typedef struct {
    FileType type;
    Id id;
    GArray *past; /* of Past, the newest first */
} Suspect;

static void past_clear(gpointer past)
{
    g_free(((Past *)past)->id);
}

static void suspect_free(gpointer user)
{
    Suspect *suspect = user;

    g_array_unref(suspect->past);
    g_free(suspect);
}

typedef struct {
    const Cancel *cancel;
    FileType type;
    GPtrArray *suspects; /* of Suspect */
    Suspect *current;    /* the last of these: it may have more versions; NULL */
} Scan;

static void scan_settle(Scan *scan)
{
    if (scan->current && scan->current->past->len < 2)
        g_ptr_array_set_size(scan->suspects, (gint)scan->suspects->len - 1);
    scan->current = NULL;
}

static void scan_begin(Scan *scan, const Id *id)
{
    scan_settle(scan);
    scan->current = g_new0(Suspect, 1);
    scan->current->type = scan->type;
    scan->current->id = *id;
    scan->current->past = g_array_new(FALSE, FALSE, sizeof(Past));
    g_array_set_clear_func(scan->current->past, past_clear);
    g_ptr_array_add(scan->suspects, scan->current);
}

static bool note_version(const StoreVersion *version, void *user, GError **error)
{
    Scan *scan = user;
    Past past = { .at = version->modified_at, .latest = version->latest };
    Id id;

    if (!file_parse_key(scan->type, version->key, &id))
        return true;
    if (!scan->current || !id_equal(&scan->current->id, &id))
        scan_begin(scan, &id);
    past.removed = version->removed;
    past.id = g_strdup(version->id);
    g_array_append_val(scan->current->past, past);
    return cancel_check(scan->cancel, error);
}

static bool find_suspects(Store *store, FileType type, const Cancel *cancel,
                          GPtrArray **ret_suspects, GError **error)
{
    g_autoptr(GPtrArray) suspects = g_ptr_array_new_with_free_func(suspect_free);
    Scan scan = { .cancel = cancel, .type = type, .suspects = suspects };

    if (!store_versions(store, file_dir(type), note_version, &scan, error))
        return false;
    scan_settle(&scan);
    *ret_suspects = g_steal_pointer(&suspects);
    return true;
}

static const Past *latest_of(const Suspect *suspect)
{
    for (guint i = 0; i < suspect->past->len; i++)
        if (g_array_index(suspect->past, Past, i).latest)
            return &g_array_index(suspect->past, Past, i);
    return NULL;
}

/* ---- bringing back ---- */

typedef struct {
    Store *store;
    const VersionsRequest *request;
    VersionsStats *stats;
} Repair;

static bool is_right(const Suspect *suspect, GBytes *bytes)
{
    Id actual;

    hash_bytes(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &actual);
    return id_equal(&actual, &suspect->id);
}

/* *ret_bytes is NULL when this version is not what the name says. */
static bool load_version(const Repair *repair, const Suspect *suspect, const Past *past,
                         GBytes **ret_bytes, GError **error)
{
    FileKey key = file_key(suspect->type, &suspect->id);
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) failure = NULL;

    *ret_bytes = NULL;
    if (!cancel_check(repair->request->cancel, error))
        return false;
    if (store_get_version(repair->store, key.text, past->id, OBJECT_MAX, &bytes, &failure)) {
        if (is_right(suspect, bytes))
            *ret_bytes = g_steal_pointer(&bytes);
        return true;
    }
    // larger than any object of ours, or gone meanwhile
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT) ||
        g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* Read back, for the promise is that it is there again. */
static bool put_back(const Repair *repair, const Suspect *suspect, GBytes *bytes, GError **error)
{
    const VersionsRequest *request = repair->request;
    FileKey key = file_key(suspect->type, &suspect->id);
    g_autoptr(GBytes) now = NULL;

    if ((request->still_locked && !request->still_locked(request->user, error)) ||
        !store_put(repair->store, key.text, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
                   false, error) ||
        !store_get_whole(repair->store, key.text, OBJECT_MAX, &now, error))
        return false;
    if (is_right(suspect, now))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "%s: what was put is not what lies there; somebody else replaces it again, or the "
                "store damages it",
                key.text);
    return false;
}

static bool bring_back(const Repair *repair, const Suspect *suspect, bool removed, GError **error)
{
    FileKey key = file_key(suspect->type, &suspect->id);
    VersionsFound found = { .key = key.text, .removed = removed };
    g_autoptr(GBytes) bytes = NULL;

    for (guint i = 0; i < suspect->past->len && !bytes; i++) {
        const Past *past = &g_array_index(suspect->past, Past, i);

        if (past->removed || (past->latest && !removed))
            continue; // the latest was looked at
        if (!load_version(repair, suspect, past, &bytes, error))
            return false;
        found.version = bytes ? past->id : NULL;
    }
    if (bytes && !put_back(repair, suspect, bytes, error))
        return false;
    if (bytes)
        repair->stats->brought_back++;
    else
        repair->stats->lost++;
    if (repair->request->found)
        repair->request->found(&found, repair->request->user);
    return true;
}

/* ---- which ---- */

static bool is_since(const Repair *repair, const Past *latest)
{
    int64_t since = repair->request->removed_since;

    return since != 0 && latest->at >= since;
}

static bool repair_suspect(const Repair *repair, const Suspect *suspect, GError **error)
{
    const Past *latest = latest_of(suspect);
    g_autoptr(GBytes) bytes = NULL;

    if (!latest)
        return true;
    if (latest->removed) {
        if (is_since(repair, latest))
            return bring_back(repair, suspect, true, error);
        repair->stats->snapshots_removed += suspect->type == FILE_SNAPSHOT;
        return true;
    }
    return load_version(repair, suspect, latest, &bytes, error) &&
           (bytes || bring_back(repair, suspect, false, error));
}

static bool repair_suspects(const Repair *repair, const GPtrArray *suspects, GError **error)
{
    for (guint i = 0; i < suspects->len; i++)
        if (!repair_suspect(repair, g_ptr_array_index(suspects, i), error))
            return false;
    return true;
}

static bool repair_type(const Repair *repair, FileType type, GError **error)
{
    g_autoptr(GPtrArray) suspects = NULL;

    return find_suspects(repair->store, type, repair->request->cancel, &suspects, error) &&
           repair_suspects(repair, suspects, error);
}

/* ---- packs that are needed ---- */

typedef struct {
    const Repair *repair;
    GHashTable *removed; /* Id -> Suspect, both borrowed */
} Needed;

static bool bring_back_needed(const Id *pack, G_GNUC_UNUSED const PackBlob *blobs,
                              G_GNUC_UNUSED size_t n, void *user, GError **error)
{
    const Needed *needed = user;
    const Suspect *suspect = g_hash_table_lookup(needed->removed, pack);

    return cancel_check(needed->repair->request->cancel, error) &&
           (!suspect || bring_back(needed->repair, suspect, true, error));
}

static bool repair_needed(const Repair *repair, Repo *repo, const GPtrArray *packs, GError **error)
{
    g_autoptr(GHashTable) removed = g_hash_table_new(id_hash, id_equal_func);
    Needed needed = { repair, removed };

    for (guint i = 0; i < packs->len; i++) {
        Suspect *suspect = g_ptr_array_index(packs, i);
        const Past *latest = latest_of(suspect);

        if (latest && latest->removed && !is_since(repair, latest))
            g_hash_table_insert(removed, &suspect->id, suspect);
    }
    return repo_load_index(repo, repair->request->cancel, error) &&
           index_each_pack(repo_index(repo), bring_back_needed, &needed, error);
}

bool versions_repair_keys(Store *store, const VersionsRequest *request, VersionsStats *stats,
                          GError **error)
{
    Repair repair = { store, request, stats };

    return repair_type(&repair, FILE_KEY, error);
}

/* In the order in which a backup puts them: what is named is there before what names it. */
bool versions_repair(Repo *repo, const VersionsRequest *request, VersionsStats *stats,
                     GError **error)
{
    Repair repair = { repo_store(repo), request, stats };
    g_autoptr(GPtrArray) packs = NULL;

    repo_distrust_copies(repo);
    return find_suspects(repair.store, FILE_PACK, request->cancel, &packs, error) &&
           repair_suspects(&repair, packs, error) && repair_type(&repair, FILE_INDEX, error) &&
           repair_needed(&repair, repo, packs, error) && repair_type(&repair, FILE_SNAPSHOT, error);
}
