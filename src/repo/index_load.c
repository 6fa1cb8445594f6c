/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/index_load.h"
#include "base/error.h"
#include "base/parallel.h"
#include "repo/index_cache.h"
#include "repo/index_merge.h"
#include "repo/repo.h"
#include <pthread.h>

/* ---- index objects, fetched and parsed by several threads ---- */

typedef struct {
    Id object;
    GError *error;
} Problem;

typedef struct {
    Repo *repo;
    const Cancel *cancel;
    const Id *objects;
    size_t n;
    IndexMerge *merge;
    bool goes_on; // after a damaged object
    pthread_mutex_t mutex;
    size_t next;
    GError *failure;  // ends the work
    GArray *problems; // of Problem: damaged objects
} Loading;

static void problem_clear(void *problem)
{
    g_clear_error(&((Problem *)problem)->error);
}

static bool add_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    IndexPiece *piece = user;
    uint32_t number = piece->packs->len;

    (void)error;
    if (n > 0)
        g_array_append_vals(piece->packs, pack, 1);
    for (size_t i = 0; i < n; i++) {
        IndexEntry entry = {
            .id = blobs[i].id,
            .pack = number | (blobs[i].type == BLOB_TREE ? INDEX_ENTRY_TREE : 0),
            .offset = blobs[i].offset,
            .length = blobs[i].length,
            .plain_len = blobs[i].plain_len,
        };

        g_array_append_val(piece->entries, entry);
    }
    return true;
}

static bool load_object(Loading *loading, const Id *object, IndexPiece *piece, GError **error)
{
    g_autoptr(GBytes) text = NULL;
    const char *data;
    size_t len;

    g_array_set_size(piece->packs, 0);
    g_array_set_size(piece->entries, 0);
    if (!cancel_check(loading->cancel, error) ||
        !repo_load(loading->repo, FILE_INDEX, object, &text, error))
        return false;
    data = g_bytes_get_data(text, &len);
    if (!index_text_parse(data, len, add_pack, piece, error)) {
        g_prefix_error(error, "%s: ", file_key(FILE_INDEX, object).text);
        return false;
    }
    index_merge_add(loading->merge, piece);
    return true;
}

/* A damaged object is a finding; a store that does not answer is a failure. */
static bool is_damage(const GError *error)
{
    return g_error_matches(error, BS_ERROR, BS_ERROR_CORRUPT) ||
           g_error_matches(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
}

static const Id *take_object(Loading *loading)
{
    const Id *object = NULL;

    pthread_mutex_lock(&loading->mutex);
    if (!loading->failure && loading->next < loading->n)
        object = &loading->objects[loading->next++];
    pthread_mutex_unlock(&loading->mutex);
    return object;
}

static void note_problem(Loading *loading, const Id *object, GError *error)
{
    Problem problem = { *object, error };

    pthread_mutex_lock(&loading->mutex);
    if (loading->goes_on && is_damage(error))
        g_array_append_val(loading->problems, problem);
    else if (!loading->failure)
        loading->failure = error;
    else
        g_error_free(error);
    pthread_mutex_unlock(&loading->mutex);
}

static void load_objects(void *user)
{
    Loading *loading = user;
    g_autoptr(GArray) packs = g_array_new(false, false, sizeof(Id));
    g_autoptr(GArray) entries = g_array_new(false, false, sizeof(IndexEntry));
    IndexPiece piece = { packs, entries };
    const Id *object;

    while ((object = take_object(loading))) {
        GError *error = NULL;

        if (!load_object(loading, object, &piece, &error))
            note_problem(loading, object, error);
    }
}

static GError *with_way_out(GError *error)
{
    g_autoptr(GError) bare = error;

    if (!is_damage(bare))
        return g_steal_pointer(&bare);
    return g_error_new(BS_ERROR, bare->code, "%s; run `backstay repair index`", bare->message);
}

static int compare_problems(const void *a, const void *b)
{
    return id_compare(&((const Problem *)a)->object, &((const Problem *)b)->object);
}

/* Puts what the objects say into merge. ret_problems: NULL to fail at the first damaged one. */
static bool load_into(Repo *repo, const Cancel *cancel, const Id *objects, size_t n,
                      IndexMerge *merge, GArray **ret_problems, GError **error)
{
    g_autoptr(GArray) problems = g_array_new(false, false, sizeof(Problem));
    Loading loading = {
        .repo = repo,
        .cancel = cancel,
        .objects = objects,
        .n = n,
        .merge = merge,
        .goes_on = ret_problems != NULL,
        .problems = problems,
    };

    g_array_set_clear_func(problems, problem_clear);
    pthread_mutex_init(&loading.mutex, NULL);
    parallel_run((unsigned)MIN(repo_readers(repo), n), load_objects, &loading);
    pthread_mutex_destroy(&loading.mutex);
    if (loading.failure) {
        g_propagate_error(error, with_way_out(loading.failure));
        return false;
    }
    g_array_sort(problems, compare_problems);
    if (ret_problems)
        *ret_problems = g_steal_pointer(&problems);
    return true;
}

/* ---- with the cache ---- */

static bool list_objects(Repo *repo, GArray **ret_objects, GError **error)
{
    g_autoptr(GArray) files = NULL;
    g_autoptr(GArray) objects = g_array_new(false, false, sizeof(Id));

    if (!repo_list(repo, FILE_INDEX, &files, NULL, error))
        return false;
    for (guint i = 0; i < files->len; i++)
        g_array_append_vals(objects, &g_array_index(files, FileInfo, i).id, 1);
    *ret_objects = g_steal_pointer(&objects);
    return true;
}

/* Of Id: what is listed and not in the image. NULL: the image knows an object that is gone, so that
 * nobody can say which of its entries still hold. */
static GArray *objects_beyond(const IndexTable *table, const GArray *listed)
{
    g_autoptr(GArray) beyond = g_array_new(false, false, sizeof(Id));
    size_t known = 0;

    for (guint i = 0; i < listed->len; i++) {
        const Id *object = &g_array_index(listed, Id, i);

        if (known < table->n_objects && id_equal(&table->objects[known], object))
            known++;
        else
            g_array_append_vals(beyond, object, 1);
    }
    return known == table->n_objects ? g_steal_pointer(&beyond) : NULL;
}

static int scratch(void *cache)
{
    return index_cache_scratch(cache);
}

/* NULL when the cache cannot take it (disk full, ...). */
static IndexTable *merge_into_cache(IndexMerge *merge, const IndexTable *older,
                                    const GArray *objects, const IndexCache *cache)
{
    g_autofree char *path = NULL;
    int fd = index_cache_begin(cache, &path);
    IndexTable *table;

    if (fd < 0)
        return NULL;
    table = index_merge_finish(merge, older, (const Id *)objects->data, objects->len, fd,
                               index_cache_key(cache), NULL);
    if (table)
        (void)index_cache_save(cache, fd, path); // without it the next run starts anew
    else
        index_cache_drop(fd, path);
    return table;
}

bool index_table_load(Repo *repo, const Cancel *cancel, IndexTable **ret_table, GError **error)
{
    g_autoptr(IndexCache) cache =
        index_cache_open(repo_options(repo)->cache_dir, repo_id(repo), repo_master_key(repo));
    g_autoptr(IndexTable) older = cache ? index_cache_load(cache) : NULL;
    g_autoptr(IndexMerge) merge = index_merge_new(cache ? scratch : NULL, cache);
    g_autoptr(GArray) objects = NULL;
    g_autoptr(GArray) missing = NULL;
    IndexTable *table = NULL;

    if (!list_objects(repo, &objects, error))
        return false;
    missing = older ? objects_beyond(older, objects) : NULL;
    if (missing && missing->len == 0) {
        *ret_table = g_steal_pointer(&older);
        return true;
    }
    if (!missing) {
        g_clear_pointer(&older, index_table_free);
        missing = g_array_ref(objects);
    }
    if (!load_into(repo, cancel, (const Id *)missing->data, missing->len, merge, NULL, error))
        return false;
    if (cache)
        table = merge_into_cache(merge, older, objects, cache);
    if (!table)
        table = index_merge_finish(merge, older, (const Id *)objects->data, objects->len, -1, NULL,
                                   error);
    *ret_table = table;
    return table != NULL;
}

/* ---- without it, going on ---- */

/* Reports each damaged object and takes it off the list. */
static bool report(GArray *problems, IndexBad bad, void *user, GArray *objects, GError **error)
{
    guint kept = 0;
    guint at = 0;

    for (guint i = 0; i < objects->len; i++) {
        const Id object = g_array_index(objects, Id, i);
        Problem *problem = at < problems->len ? &g_array_index(problems, Problem, at) : NULL;

        if (!problem || !id_equal(&problem->object, &object)) {
            g_array_index(objects, Id, kept++) = object;
            continue;
        }
        if (!bad(&object, problem->error, user)) {
            g_propagate_error(error, g_steal_pointer(&problem->error));
            return false;
        }
        at++;
    }
    g_array_set_size(objects, kept);
    return true;
}

bool index_table_load_full(Repo *repo, IndexBad bad, void *user, const Cancel *cancel,
                           IndexTable **ret_table, GError **error)
{
    g_autoptr(IndexMerge) merge = index_merge_new(NULL, NULL);
    g_autoptr(GArray) objects = NULL;
    g_autoptr(GArray) problems = NULL;
    IndexTable *table;

    if (!list_objects(repo, &objects, error) ||
        !load_into(repo, cancel, (const Id *)objects->data, objects->len, merge, &problems,
                   error) ||
        !report(problems, bad, user, objects, error))
        return false;
    table =
        index_merge_finish(merge, NULL, (const Id *)objects->data, objects->len, -1, NULL, error);
    *ret_table = table;
    return table != NULL;
}
