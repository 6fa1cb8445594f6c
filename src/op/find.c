/* SPDX-License-Identifier: Apache-2.0 */
#include "op/find.h"

#include "base/error.h"
#include "base/log.h"
#include "base/plural.h"
#include "codec/hash.h"
#include "repo/pack.h"
#include "repo/walk.h"
#include <string.h>

/*
 * Snapshots share most of their trees. A directory below which nothing was found is remembered, by
 * its path and tree, and passed over when it comes again.
 */
typedef struct {
    GHashTable *barren; /* set of Id: hash of tree and path */
    GArray *open;       /* of OpenDir, from the root to here */
    unsigned unreadable;
} Search;

typedef struct {
    Id place, tree;
    uint64_t found_before;
} OpenDir;

static void search_init(Search *search)
{
    *search = (Search){ 0 };
    search->barren = g_hash_table_new_full(id_hash, id_equal_func, g_free, NULL);
    search->open = g_array_new(FALSE, FALSE, sizeof(OpenDir));
}

static void search_done(Search *search)
{
    g_hash_table_unref(search->barren);
    g_array_unref(search->open);
}

static Id place_of(const Id *tree, const char *path)
{
    g_autoptr(Hash) hash = hash_new();
    Id place;

    hash_update(hash, tree->bytes, ID_LEN);
    hash_update(hash, path, strlen(path));
    hash_final(hash, &place);
    return place;
}

/* False: nothing is to be found below it. */
static bool search_enter(Search *search, const Id *tree, const char *path, uint64_t found)
{
    OpenDir dir = { .place = place_of(tree, path), .tree = *tree, .found_before = found };

    if (g_hash_table_contains(search->barren, &dir.place))
        return false;
    g_array_append_val(search->open, dir);
    return true;
}

static void search_leave(Search *search, bool complete, uint64_t found)
{
    const OpenDir *dir = &g_array_index(search->open, OpenDir, search->open->len - 1);

    if (complete && dir->found_before == found)
        g_hash_table_add(search->barren, g_memdup2(&dir->place, sizeof dir->place));
    g_array_set_size(search->open, search->open->len - 1);
}

static const OpenDir *search_here(const Search *search)
{
    return &g_array_index(search->open, OpenDir, search->open->len - 1);
}

static void note_unreadable(Search *search, const Snapshot *snapshot, const char *path,
                            const GError *problem)
{
    log_warn("directory cannot be read", "snapshot", id_short(&snapshot->id).text, "path",
             *path ? path : "/", "error", problem->message, NULL);
    search->unreadable++;
}

static bool search_complete(const Search *search, GError **error)
{
    if (search->unreadable == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL,
                "%u %s could not be read; what lies in %s was not searched", search->unreadable,
                plural(search->unreadable, "directory", "directories"),
                plural(search->unreadable, "it", "them"));
    return false;
}

/* ---- entries ---- */

typedef struct {
    Search search;
    const FindRequest *request;
    FindEntry each;
    void *user;
    const Snapshot *snapshot;
    uint64_t found;
} EntrySearch;

static bool in_time(const FindRequest *request, Timestamp mtime)
{
    return (!request->oldest || timestamp_compare(mtime, *request->oldest) >= 0) &&
           (!request->newest || timestamp_compare(mtime, *request->newest) <= 0);
}

static WalkNext entry_enter(const char *path, const Node *node, void *user, GError **error)
{
    EntrySearch *entries = user;
    bool below = true;
    bool matches = pattern_list_match(entries->request->patterns, path, &below) &&
                   in_time(entries->request, node->mtime);

    if (matches) {
        entries->found++;
        if (!entries->each(entries->snapshot, path, node, entries->user, error))
            return WALK_FAIL;
    }
    if (!S_ISDIR(node->mode) || !below)
        return WALK_SKIP;
    return search_enter(&entries->search, &node->subtree, path, entries->found) ? WALK_CONTINUE
                                                                                : WALK_SKIP;
}

static bool entry_leave(const char *path, bool complete, Tree **tree, void *user, GError **error)
{
    EntrySearch *entries = user;

    (void)path;
    (void)tree;
    (void)error;
    search_leave(&entries->search, complete, entries->found);
    return true;
}

static bool entry_bad(const char *path, const GError *problem, void *user)
{
    EntrySearch *entries = user;

    note_unreadable(&entries->search, entries->snapshot, path, problem);
    return true;
}

bool op_find(Repo *repo, const GPtrArray *snapshots, const FindRequest *request, FindEntry each,
             void *user, const Cancel *cancel, GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(repo);
    EntrySearch entries = { .request = request, .each = each, .user = user };
    WalkOps ops = { entry_enter, entry_leave, entry_bad, &entries };
    bool ok = true;

    search_init(&entries.search);
    for (guint i = 0; ok && i < snapshots->len; i++) {
        const Snapshot *snapshot = entries.snapshot = snapshots->pdata[i];

        if (search_enter(&entries.search, &snapshot->tree, "", entries.found))
            ok = walk_run(repo, opener, &snapshot->tree, "", &ops, cancel, error);
    }
    ok = ok && search_complete(&entries.search, error);
    search_done(&entries.search);
    return ok;
}

/* ---- ids ---- */

struct FindIds {
    GHashTable *whole[2]; /* by BlobType: set of Id */
    GPtrArray *beginnings[2];
};

FindIds *find_ids_new(void)
{
    FindIds *ids = g_new0(FindIds, 1);

    for (unsigned type = 0; type < 2; type++) {
        ids->whole[type] = g_hash_table_new_full(id_hash, id_equal_func, g_free, NULL);
        ids->beginnings[type] = g_ptr_array_new_with_free_func(g_free);
    }
    return ids;
}

void find_ids_free(FindIds *ids)
{
    if (!ids)
        return;
    for (unsigned type = 0; type < 2; type++) {
        g_hash_table_unref(ids->whole[type]);
        g_ptr_array_unref(ids->beginnings[type]);
    }
    g_free(ids);
}

static void add_whole(FindIds *ids, BlobType type, const Id *id)
{
    g_hash_table_add(ids->whole[type], g_memdup2(id, sizeof *id));
}

bool find_ids_add(FindIds *ids, BlobType type, const char *text, GError **error)
{
    Id id;

    if (id_parse(text, &id)) {
        add_whole(ids, type, &id);
        return true;
    }
    if (!*text || strlen(text) > ID_HEX_LEN || text[strspn(text, "0123456789abcdef")] != '\0') {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: not an id", text);
        return false;
    }
    g_ptr_array_add(ids->beginnings[type], g_strdup(text));
    return true;
}

typedef struct {
    FindIds *ids;
    const char *text;
    bool found;
} PackSearch;

static bool add_indexed(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    PackSearch *search = user;

    (void)error;
    if (!g_str_has_prefix(id_hex(pack).text, search->text))
        return true;
    search->found = true;
    for (size_t i = 0; i < n; i++)
        add_whole(search->ids, blobs[i].type, &blobs[i].id);
    return true;
}

bool find_ids_add_pack(FindIds *ids, Repo *repo, const char *text, GError **error)
{
    PackSearch search = { .ids = ids, .text = text };
    g_autoptr(GError) problem = NULL;
    g_autoptr(GArray) blobs = NULL;
    uint64_t size;
    Id pack;

    if (repo_resolve(repo, FILE_PACK, text, &pack, &problem) &&
        store_stat(repo_store(repo), file_key(FILE_PACK, &pack).text, &size, &problem) &&
        pack_read_header(repo, &pack, size, &blobs, &problem)) {
        for (guint i = 0; i < blobs->len; i++) {
            const PackBlob *blob = &g_array_index(blobs, PackBlob, i);

            add_whole(ids, blob->type, &blob->id);
        }
        return true;
    }
    if (g_error_matches(problem, BS_ERROR, BS_ERROR_USAGE)) { // ambiguous
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    // a pack that is lost or damaged: what the index says was in it
    if (!index_each_pack(repo_index(repo), add_indexed, &search, error))
        return false;
    if (!search.found)
        g_propagate_error(error, g_steal_pointer(&problem));
    return search.found;
}

static bool is_wanted(const FindIds *ids, BlobType type, const Id *id)
{
    const GPtrArray *beginnings = ids->beginnings[type];

    if (g_hash_table_contains(ids->whole[type], id))
        return true;
    for (guint i = 0; i < beginnings->len; i++)
        if (g_str_has_prefix(id_hex(id).text, beginnings->pdata[i]))
            return true;
    return false;
}

/* ---- blobs ---- */

typedef struct {
    Search search;
    const FindIds *ids;
    FindBlob each;
    void *user;
    const Snapshot *snapshot;
    uint64_t found;
} BlobSearch;

static bool look_at(BlobSearch *blobs, BlobType type, const Id *id, const char *path,
                    const Id *tree, GError **error)
{
    if (!is_wanted(blobs->ids, type, id))
        return true;
    blobs->found++;
    return blobs->each(blobs->snapshot, type, id, path, tree, blobs->user, error);
}

static WalkNext blob_enter(const char *path, const Node *node, void *user, GError **error)
{
    BlobSearch *blobs = user;
    const Id *tree = &search_here(&blobs->search)->tree;

    for (guint i = 0; node->content && i < node->content->len; i++)
        if (!look_at(blobs, BLOB_DATA, &g_array_index(node->content, Id, i), path, tree, error))
            return WALK_FAIL;
    if (!S_ISDIR(node->mode))
        return WALK_SKIP;
    if (!look_at(blobs, BLOB_TREE, &node->subtree, path, &node->subtree, error))
        return WALK_FAIL;
    return search_enter(&blobs->search, &node->subtree, path, blobs->found) ? WALK_CONTINUE
                                                                            : WALK_SKIP;
}

static bool blob_leave(const char *path, bool complete, Tree **tree, void *user, GError **error)
{
    BlobSearch *blobs = user;

    (void)path;
    (void)tree;
    (void)error;
    search_leave(&blobs->search, complete, blobs->found);
    return true;
}

static bool blob_bad(const char *path, const GError *problem, void *user)
{
    BlobSearch *blobs = user;

    note_unreadable(&blobs->search, blobs->snapshot, path, problem);
    return true;
}

static bool search_snapshot(Repo *repo, BlobOpener *opener, BlobSearch *blobs, const Cancel *cancel,
                            GError **error)
{
    WalkOps ops = { blob_enter, blob_leave, blob_bad, blobs };
    const Id *root = &blobs->snapshot->tree;

    if (!look_at(blobs, BLOB_TREE, root, "/", root, error))
        return false;
    return !search_enter(&blobs->search, root, "", blobs->found) ||
           walk_run(repo, opener, root, "", &ops, cancel, error);
}

bool op_find_ids(Repo *repo, const GPtrArray *snapshots, const FindIds *ids, FindBlob each,
                 void *user, const Cancel *cancel, GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(repo);
    BlobSearch blobs = { .ids = ids, .each = each, .user = user };
    bool ok = true;

    search_init(&blobs.search);
    for (guint i = 0; ok && i < snapshots->len; i++) {
        blobs.snapshot = snapshots->pdata[i];
        ok = search_snapshot(repo, opener, &blobs, cancel, error);
    }
    ok = ok && search_complete(&blobs.search, error);
    search_done(&blobs.search);
    return ok;
}
