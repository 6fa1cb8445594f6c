/* SPDX-License-Identifier: Apache-2.0 */
#include "op/repairfrom.h"

#include "base/error.h"
#include "op/remembered.h"
#include "repo/config.h"
#include "repo/heal.h"
#include "repo/index.h"
#include <string.h>

#define PLACES_MAX 8 /* of one blob */

struct RepairFrom {
    const Settings *settings;
    RepairFromWatch watch;
    OpenRepo open;
};

/* ---- which copy ---- */

/* The repository itself may not open, so what is remembered here is asked first. */
static GPtrArray *known_mirrors(const Settings *settings, const char *location,
                                const Cancel *cancel)
{
    g_auto(OpenRepo) open = { 0 };
    g_autofree char *id = NULL;
    GPtrArray *mirrors = remembered_load(settings->state_dir, location, &id);

    if (mirrors)
        return mirrors;
    return open_repo_using(settings, OPEN_UNLOCKED, MIRRORS_ALONE, true, cancel, &open, NULL) &&
                   mirrors_load(open.repo, &mirrors, NULL, NULL)
               ? mirrors
               : NULL;
}

static bool open_copy(RepairFrom *from, const char *where, const Settings *named, GError **error)
{
    g_autofree char *location = NULL;
    g_autofree char *infix = NULL;
    g_autoptr(GPtrArray) mirrors = NULL;
    const Mirror *mirror = NULL;

    if (!settings_repository(from->settings, &location, error))
        return false;
    if (mirror_name_is_valid(where))
        mirrors = known_mirrors(from->settings, location, from->watch.cancel);
    if (mirrors)
        mirror = mirrors_find(mirrors, where);
    if (mirror)
        infix = mirrorset_infix(mirror);
    if (!mirror && named
            ? open_repo_copy(named, named->repo, "", from->watch.cancel, &from->open, error)
            : open_repo_copy(from->settings, mirror ? mirror->location : where,
                             infix ? infix : "FROM_", from->watch.cancel, &from->open, error))
        return true;
    g_prefix_error(error, "--repair-from: ");
    return false;
}

RepairFrom *repair_from_new(const Settings *settings, const char *where, const Settings *named,
                            const RepairFromWatch *watch, GError **error)
{
    g_autoptr(RepairFrom) from = g_new0(RepairFrom, 1);

    from->settings = settings;
    from->watch = *watch;
    return open_copy(from, where, named, error) ? g_steal_pointer(&from) : NULL;
}

void repair_from_free(RepairFrom *from)
{
    if (!from)
        return;
    open_done(&from->open);
    g_free(from);
}

const char *repair_from_location(const RepairFrom *from)
{
    return from->open.at.store->location;
}

/* ---- single objects ---- */

/* It is this object's fault, and the others may still be had. */
static bool concerns_object(const GError *problem)
{
    return g_error_matches(problem, BS_ERROR, BS_ERROR_NOT_FOUND) ||
           g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT) ||
           g_error_matches(problem, BS_ERROR, BS_ERROR_EXISTS) ||
           g_error_matches(problem, BS_ERROR, BS_ERROR_USAGE);
}

/* False: a store failed, or it was cancelled. */
static bool bring_back(RepairFrom *from, Store *to, const char *key, uint64_t *n_back,
                       GError **error)
{
    g_autoptr(GError) problem = NULL;
    bool back;

    if (!cancel_check(from->watch.cancel, error))
        return false;
    back = heal_object(from->open.at.store, to, key, !from->watch.dry_run, &problem);
    if (!back && !concerns_object(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    *n_back += back;
    from->watch.told(key, problem, from->watch.user);
    return true;
}

/* ---- config and key ---- */

static bool bring_back_config(RepairFrom *from, Store *to, uint64_t *n_back, GError **error)
{
    ConfigState state;
    bool copy;

    if (!heal_config_state(from->open.repo, to, &state, error) ||
        (state != CONFIG_OURS && !heal_is_copy(from->open.repo, to, &copy, error)))
        return false;
    if (state == CONFIG_OURS)
        return true;
    if (state == CONFIG_OTHER || (state == CONFIG_FOREIGN && !copy)) {
        g_set_error(error, BS_ERROR, BS_ERROR_EXISTS,
                    "%s is another repository than %s; only a copy of the same one has the same "
                    "objects",
                    to->location, repair_from_location(from));
        return false;
    }
    if (!copy) {
        g_set_error(error, BS_ERROR, BS_ERROR_NO_REPO,
                    "%s holds nothing of the repository at %s; is its disk mounted?", to->location,
                    repair_from_location(from));
        return false;
    }
    if (!from->watch.dry_run && !heal_config(from->open.repo, to, error))
        return false;
    ++*n_back;
    from->watch.told(CONFIG_KEY, NULL, from->watch.user);
    return true;
}

/* True in *ret_any: some key file there is what its name says. */
static bool has_sound_key(RepairFrom *from, Store *store, bool *ret_any, GError **error)
{
    g_autoptr(GArray) keys = NULL;

    if (!file_list(store, FILE_KEY, &keys, NULL, error))
        return false;
    *ret_any = false;
    for (guint i = 0; i < keys->len && !*ret_any; i++) {
        FileKey key = file_key(FILE_KEY, &g_array_index(keys, FileInfo, i).id);
        g_autoptr(GError) problem = NULL;

        // asked in this way it says that nothing is wrong with it, and changes nothing
        *ret_any = !heal_object(from->open.at.store, store, key.text, false, &problem) &&
                   g_error_matches(problem, BS_ERROR, BS_ERROR_EXISTS);
    }
    return true;
}

static bool bring_back_key(RepairFrom *from, Store *to, uint64_t *n_back, GError **error)
{
    const Id *id = repo_key_id(from->open.repo);
    g_autoptr(GError) absent = NULL;
    FileKey key;
    uint64_t size;
    bool any;

    if (!id) // the master key itself opens both
        return true;
    key = file_key(FILE_KEY, id);
    if (!has_sound_key(from, to, &any, error))
        return false;
    // damaged ones are found by the check, too, once the repository can be opened
    if (any && !store_stat(to, key.text, &size, &absent))
        return true;
    if (heal_object(from->open.at.store, to, key.text, false, &absent))
        return bring_back(from, to, key.text, n_back, error);
    return true;
}

bool repair_from_entry(RepairFrom *from, uint64_t *n_back, GError **error)
{
    g_autofree char *location = NULL;
    g_auto(OpenStore) at = { 0 };

    return settings_repository(from->settings, &location, error) &&
           open_store(from->settings, location, "", false, from->watch.cancel, &at, error) &&
           bring_back_config(from, at.store, n_back, error) &&
           bring_back_key(from, at.store, n_back, error);
}

/* ---- what a check has found ---- */

/* The packs that have a blob, so that they are among the objects. False: none has. */
static bool add_packs(Repo *repo, const Id *blob, GHashTable *keys)
{
    size_t n_all = 0;

    for (BlobType type = BLOB_DATA; type <= BLOB_TREE; type++) {
        BlobPlace places[PLACES_MAX];
        size_t n = index_find_all(repo_index(repo), type, blob, places, PLACES_MAX);

        for (size_t i = 0; i < MIN(n, PLACES_MAX); i++)
            g_hash_table_add(keys, g_strdup(file_key(FILE_PACK, &places[i].pack).text));
        n_all += n;
    }
    return n_all > 0;
}

static gint compare_texts(gconstpointer a, gconstpointer b)
{
    return strcmp(a, b);
}

/* data/ before index/ before the rest: what is named first. */
static bool bring_back_all(RepairFrom *from, Store *to, GHashTable *keys, uint64_t *n_back,
                           GError **error)
{
    g_autoptr(GList) sorted = g_list_sort(g_hash_table_get_keys(keys), compare_texts);

    for (const GList *at = sorted; at; at = at->next)
        if (!bring_back(from, to, at->data, n_back, error))
            return false;
    return true;
}

/* ---- index objects that are missing altogether ---- */

typedef struct {
    GHashTable *blobs; /* set of Id: no index here has them */
    GHashTable *packs; /* set of keys that the index object names */
    bool useful;
} Wanted;

static bool note_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user,
                      G_GNUC_UNUSED GError **error)
{
    Wanted *wanted = user;

    g_hash_table_add(wanted->packs, g_strdup(file_key(FILE_PACK, pack).text));
    for (size_t i = 0; i < n; i++)
        wanted->useful = wanted->useful || g_hash_table_contains(wanted->blobs, &blobs[i].id);
    return true;
}

/* What it names must be here first. */
static bool has_pack(RepairFrom *from, Store *to, const char *key, uint64_t *n_back, bool *ret_has,
                     GError **error)
{
    g_autoptr(GError) failure = NULL;
    uint64_t size, before = *n_back;

    *ret_has = store_stat(to, key, &size, &failure);
    if (*ret_has)
        return true;
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (!bring_back(from, to, key, n_back, error))
        return false;
    *ret_has = *n_back > before;
    return true;
}

static bool bring_back_index(RepairFrom *from, Store *to, const Id *id, GHashTable *blobs,
                             uint64_t *n_back, GError **error)
{
    g_autoptr(GHashTable) packs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GBytes) text = NULL;
    Wanted wanted = { blobs, packs, false };
    GHashTableIter iter;
    gpointer pack;
    bool all = true;

    // damaged there: no help
    if (!repo_load(from->open.repo, FILE_INDEX, id, &text, NULL) ||
        !index_text_parse(g_bytes_get_data(text, NULL), g_bytes_get_size(text), note_pack, &wanted,
                          NULL) ||
        !wanted.useful)
        return true;
    g_hash_table_iter_init(&iter, packs);
    while (all && g_hash_table_iter_next(&iter, &pack, NULL))
        if (!has_pack(from, to, pack, n_back, &all, error))
            return false;
    return !all || bring_back(from, to, file_key(FILE_INDEX, id).text, n_back, error);
}

static bool bring_back_indexes(RepairFrom *from, Store *to, GHashTable *blobs, uint64_t *n_back,
                               GError **error)
{
    g_autoptr(GArray) there = NULL;

    if (g_hash_table_size(blobs) == 0)
        return true;
    if (!file_list(from->open.at.store, FILE_INDEX, &there, NULL, error))
        return false;
    for (guint i = 0; i < there->len; i++) {
        const Id *id = &g_array_index(there, FileInfo, i).id;
        g_autoptr(GError) absent = NULL;
        uint64_t size;

        if (!store_stat(to, file_key(FILE_INDEX, id).text, &size, &absent) &&
            g_error_matches(absent, BS_ERROR, BS_ERROR_NOT_FOUND) &&
            !bring_back_index(from, to, id, blobs, n_back, error))
            return false;
    }
    return true;
}

static bool check_same(const RepairFrom *from, Repo *repo, GError **error)
{
    if (strcmp(repo_id(from->open.repo), repo_id(repo)) == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "--repair-from: %s is another repository; only a copy of the same one has the same "
                "objects. `backstay copy` brings its snapshots",
                repair_from_location(from));
    return false;
}

bool repair_from_objects(RepairFrom *from, Repo *repo, GHashTable *objects, uint64_t *n_back,
                         GError **error)
{
    g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) blobs = g_hash_table_new_full(id_hash, id_equal_func, g_free, NULL);
    GHashTableIter iter;
    gpointer object;
    Id id;

    if (!check_same(from, repo, error))
        return false;
    g_hash_table_iter_init(&iter, objects);
    while (g_hash_table_iter_next(&iter, &object, NULL)) {
        if (!id_parse(object, &id))
            g_hash_table_add(keys, g_strdup(object));
        else if (!add_packs(repo, &id, keys))
            g_hash_table_add(blobs, g_memdup2(&id, sizeof id));
    }
    return bring_back_all(from, repo_store(repo), keys, n_back, error) &&
           bring_back_indexes(from, repo_store(repo), blobs, n_back, error);
}
