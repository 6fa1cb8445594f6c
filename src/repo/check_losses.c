/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/checking.h"
#include "repo/snapshot.h"
#include "repo/walk.h"

/* A directory that was counted before is entered again only to name what is lost in it; so often in
 * one snapshot. A tree made to harm has 2^60 paths to one lost file. Measured: 2 s. */
#define AGAIN_MAX 100000

/* A directory between enter and leave. */
typedef struct {
    Id tree;
    uint64_t lost;
} Level;

typedef struct {
    Checking *checking;
    const Id *snapshot;
    GHashTable *counts; /* Id of a tree to the files lost below it, uint64_t */
    GArray *levels;     /* of Level */
    unsigned again;
    uint64_t lost; /* of the snapshot */
} Losses;

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > G_MAXINT64 - b ? G_MAXINT64 : a + b;
}

static void name(const Losses *losses, const char *path)
{
    const CheckWatch *watch = losses->checking->watch;

    if (watch->lost)
        watch->lost(losses->snapshot, *path ? path : "/", watch->user);
}

static void count(Losses *losses, uint64_t lost)
{
    Level *level = &g_array_index(losses->levels, Level, losses->levels->len - 1);

    level->lost = add(level->lost, lost);
}

static bool content_is_bad(const Losses *losses, const Node *node)
{
    for (guint k = 0; node->content && k < node->content->len; k++)
        if (checking_is_bad(losses->checking, BLOB_DATA, &g_array_index(node->content, Id, k)))
            return true;
    return false;
}

static void push_level(Losses *losses, const Id *tree)
{
    Level level = { *tree, 0 };

    g_array_append_val(losses->levels, level);
}

static WalkNext enter_dir(Losses *losses, const char *path, const Id *tree)
{
    const uint64_t *known = g_hash_table_lookup(losses->counts, tree);

    if (known && (*known == 0 || losses->again++ >= AGAIN_MAX)) {
        if (*known > 0)
            name(losses, path);
        count(losses, *known);
        return WALK_SKIP;
    }
    push_level(losses, tree);
    return WALK_CONTINUE;
}

static WalkNext enter(const char *path, const Node *node, void *user, GError **error)
{
    Losses *losses = user;

    (void)error;
    if (S_ISDIR(node->mode))
        return enter_dir(losses, path, &node->subtree);
    if (S_ISREG(node->mode) && content_is_bad(losses, node)) {
        name(losses, path);
        count(losses, 1);
    }
    return WALK_SKIP;
}

static bool leave(const char *path, bool complete, Tree **tree, void *user, GError **error)
{
    Losses *losses = user;
    Level level = g_array_index(losses->levels, Level, losses->levels->len - 1);

    (void)path;
    (void)complete;
    (void)tree;
    (void)error;
    g_array_set_size(losses->levels, losses->levels->len - 1);
    g_hash_table_insert(losses->counts, g_memdup2(&level.tree, sizeof level.tree),
                        g_memdup2(&level.lost, sizeof level.lost));
    if (losses->levels->len > 0)
        count(losses, level.lost);
    else
        losses->lost = level.lost;
    return true;
}

/* The directory and all below it, which nobody can count. */
static bool bad_dir(const char *path, const GError *problem, void *user)
{
    Losses *losses = user;

    (void)problem;
    name(losses, path);
    count(losses, 1);
    return true;
}

bool check_losses(Checking *checking, const GPtrArray *snapshots, GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(checking->repo);
    g_autoptr(GHashTable) counts = g_hash_table_new_full(id_hash, id_equal_func, g_free, g_free);
    g_autoptr(GArray) levels = g_array_new(FALSE, FALSE, sizeof(Level));

    if (g_hash_table_size(checking->bad_blobs) == 0 && g_hash_table_size(checking->bad_packs) == 0)
        return true;
    for (guint i = 0; i < snapshots->len; i++) {
        const Snapshot *snapshot = g_ptr_array_index(snapshots, i);
        Losses losses = { checking, &snapshot->id, counts, levels, 0, 0 };
        WalkOps ops = { enter, leave, bad_dir, &losses };

        push_level(&losses, &snapshot->tree);
        if (!walk_run(checking->repo, opener, &snapshot->tree, "", &ops, checking->cancel, error))
            return false;
        checking->result.files_lost = add(checking->result.files_lost, losses.lost);
    }
    return true;
}
