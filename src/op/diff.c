/* SPDX-License-Identifier: Apache-2.0 */
#include "op/diff.h"

#include "base/error.h"
#include "base/log.h"
#include "base/plural.h"
#include "repo/blob.h"
#include "repo/used.h"
#include "repo/walk.h"
#include <string.h>

/* Below this nobody's directories lie; the walk here is by recursion. */
#define DEPTH_MAX 4096

/* The blobs of one side that the other may lack. */
typedef struct {
    UsedBlobs *used;
    GArray *blobs; /* of BlobName, those in used, each once */
} Side;

typedef struct {
    BlobType type;
    Id id;
} BlobName;

typedef struct {
    Repo *repo;
    BlobOpener *opener;
    bool metadata;
    DiffEach each;
    void *user;
    const Cancel *cancel;
    Side before, after;
    UsedBlobs *common; /* below directories that are the same */
    DiffStats stats;
    GString *path; /* of the directory being compared, with a '/' behind it */
    unsigned depth, unreadable;
} Diff;

static void side_init(Side *side, Repo *repo)
{
    side->used = used_blobs_new(repo);
    side->blobs = g_array_new(FALSE, FALSE, sizeof(BlobName));
}

static void side_done(Side *side)
{
    used_blobs_free(side->used);
    g_array_unref(side->blobs);
}

static void side_add(Side *side, BlobType type, const Id *id)
{
    BlobName name = { .type = type, .id = *id };

    if (used_blobs_take(side->used, type, id))
        g_array_append_val(side->blobs, name);
}

static void side_add_node(Side *side, const Node *node)
{
    for (guint i = 0; node->content && i < node->content->len; i++)
        side_add(side, BLOB_DATA, &g_array_index(node->content, Id, i));
    if (S_ISDIR(node->mode))
        side_add(side, BLOB_TREE, &node->subtree);
}

/* ---- comparing entries ---- */

static bool same_content(const Node *a, const Node *b)
{
    guint n = a->content ? a->content->len : 0;

    return n == (b->content ? b->content->len : 0) &&
           (n == 0 || memcmp(a->content->data, b->content->data, n * sizeof(Id)) == 0);
}

static bool same_xattrs(const Node *a, const Node *b)
{
    guint n = a->xattrs ? a->xattrs->len : 0;

    if (n != (b->xattrs ? b->xattrs->len : 0))
        return false;
    for (guint i = 0; i < n; i++) {
        const NodeXattr *left = &g_array_index(a->xattrs, NodeXattr, i);
        const NodeXattr *right = &g_array_index(b->xattrs, NodeXattr, i);

        if (strcmp(left->name, right->name) != 0 || !g_bytes_equal(left->value, right->value))
            return false;
    }
    return true;
}

/* Everything but content. */
static bool same_metadata(const Node *a, const Node *b)
{
    return a->mode == b->mode && timestamp_compare(a->mtime, b->mtime) == 0 &&
           timestamp_compare(a->atime, b->atime) == 0 &&
           timestamp_compare(a->ctime, b->ctime) == 0 && a->uid == b->uid && a->gid == b->gid &&
           g_strcmp0(a->user, b->user) == 0 && g_strcmp0(a->group, b->group) == 0 &&
           a->inode == b->inode && a->device_id == b->device_id && a->size == b->size &&
           a->links == b->links && a->device == b->device &&
           g_strcmp0(a->linktarget, b->linktarget) == 0 && same_xattrs(a, b);
}

static bool same_subtree(const Node *a, const Node *b)
{
    return !S_ISDIR(a->mode) || !S_ISDIR(b->mode) || id_equal(&a->subtree, &b->subtree);
}

/* ---- telling ---- */

static bool tell(Diff *diff, const Node *node, const char *modifier, GError **error)
{
    size_t len = diff->path->len;
    bool ok;

    g_string_append(diff->path, node->name);
    if (S_ISDIR(node->mode))
        g_string_append_c(diff->path, '/');
    ok = diff->each(diff->path->str, modifier, diff->user, error);
    g_string_truncate(diff->path, len);
    return ok;
}

static void count(DiffCount *count, const Node *node)
{
    if (S_ISREG(node->mode))
        count->files++;
    else if (S_ISDIR(node->mode))
        count->dirs++;
    else
        count->others++;
}

/* Notes a directory that cannot be read; the comparison goes on beside it. */
static void pass_over(Diff *diff, const GError *problem)
{
    log_warn("directory cannot be read", "path", diff->path->str, "error", problem->message, NULL);
    diff->unreadable++;
}

static Tree *load(Diff *diff, const Id *id)
{
    g_autoptr(GError) problem = NULL;
    Tree *tree = NULL;

    if (!walk_load(diff->repo, diff->opener, id, &tree, &problem))
        pass_over(diff, problem);
    return tree;
}

/* Calls for a directory's entries with its name on the path. */
static bool below(Diff *diff, const Node *dir, bool (*step)(Diff *, const void *, GError **),
                  const void *what, GError **error)
{
    size_t len = diff->path->len;
    bool ok;

    if (diff->depth >= DEPTH_MAX) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "directories nested more than %d deep",
                    DEPTH_MAX);
        return false;
    }
    g_string_append_printf(diff->path, "%s/", dir->name);
    diff->depth++;
    ok = cancel_check(diff->cancel, error) && step(diff, what, error);
    diff->depth--;
    g_string_truncate(diff->path, len);
    return ok;
}

/* ---- directories on one side only ---- */

typedef struct {
    const Id *tree;
    const char *modifier;
    Side *side;
    DiffCount *count;
} OneSided;

static bool tell_tree(Diff *diff, const void *what, GError **error);

static bool tell_entry(Diff *diff, const Node *node, const OneSided *one, GError **error)
{
    OneSided below_it = *one;

    below_it.tree = &node->subtree;
    side_add_node(one->side, node);
    count(one->count, node);
    return tell(diff, node, one->modifier, error) &&
           (!S_ISDIR(node->mode) || below(diff, node, tell_tree, &below_it, error));
}

static bool tell_tree(Diff *diff, const void *what, GError **error)
{
    const OneSided *one = what;
    g_autoptr(Tree) tree = load(diff, one->tree);

    for (guint i = 0; tree && i < tree->nodes->len; i++)
        if (!tell_entry(diff, tree->nodes->pdata[i], one, error))
            return false;
    return true;
}

/* ---- directories on both sides ---- */

typedef struct {
    const Id *before, *after;
} Both;

static bool compare_trees(Diff *diff, const void *what, GError **error);

static void note_common(Diff *diff, const Node *dir)
{
    g_autoptr(GError) problem = NULL;

    if (!used_blobs_add(diff->common, &dir->subtree, diff->cancel, &problem) &&
        !g_error_matches(problem, BS_ERROR, BS_ERROR_CANCELLED))
        pass_over(diff, problem);
}

static const char *modifier_for(Diff *diff, const Node *before, const Node *after, char out[4])
{
    size_t n = 0;

    if ((before->mode & S_IFMT) != (after->mode & S_IFMT))
        out[n++] = 'T';
    if (S_ISREG(before->mode) && S_ISREG(after->mode) && !same_content(before, after)) {
        diff->stats.changed_files++;
        out[n++] = 'M';
        if (same_metadata(before, after))
            out[n++] = '?';
    } else if (diff->metadata && !(same_metadata(before, after) && same_subtree(before, after))) {
        out[n++] = 'U';
    }
    out[n] = '\0';
    return out;
}

static bool compare_entries(Diff *diff, const Node *before, const Node *after, GError **error)
{
    Both both = { &before->subtree, &after->subtree };
    char modifier[4];

    side_add_node(&diff->before, before);
    side_add_node(&diff->after, after);
    if (*modifier_for(diff, before, after, modifier) && !tell(diff, after, modifier, error))
        return false;
    if (!S_ISDIR(before->mode) || !S_ISDIR(after->mode))
        return true;
    if (!same_subtree(before, after))
        return below(diff, after, compare_trees, &both, error);
    note_common(diff, after);
    return true;
}

static bool compare_trees(Diff *diff, const void *what, GError **error)
{
    const Both *both = what;
    OneSided removed = { NULL, "-", &diff->before, &diff->stats.removed };
    OneSided added = { NULL, "+", &diff->after, &diff->stats.added };
    g_autoptr(Tree) before = load(diff, both->before);
    g_autoptr(Tree) after = load(diff, both->after);
    bool ok = true;

    if (!before || !after) // what is there on one side only cannot be told
        return true;
    for (guint i = 0, k = 0; ok && (i < before->nodes->len || k < after->nodes->len);) {
        const Node *left = i < before->nodes->len ? before->nodes->pdata[i] : NULL;
        const Node *right = k < after->nodes->len ? after->nodes->pdata[k] : NULL;
        int order = !left ? 1 : !right ? -1 : strcmp(left->name, right->name);

        if (order < 0)
            ok = tell_entry(diff, left, &removed, error);
        else if (order > 0)
            ok = tell_entry(diff, right, &added, error);
        else
            ok = compare_entries(diff, left, right, error);
        i += order <= 0;
        k += order >= 0;
    }
    return ok;
}

/* ---- blobs ---- */

static void count_blobs(const Diff *diff, const Side *side, const Side *other, DiffCount *count)
{
    for (guint i = 0; i < side->blobs->len; i++) {
        const BlobName *blob = &g_array_index(side->blobs, BlobName, i);
        BlobPlace place;

        if (used_blobs_has(other->used, blob->type, &blob->id) ||
            used_blobs_has(diff->common, blob->type, &blob->id) ||
            !index_find(repo_index(diff->repo), blob->type, &blob->id, &place))
            continue;
        if (blob->type == BLOB_TREE)
            count->tree_blobs++;
        else
            count->data_blobs++;
        count->bytes += blob_plain_len(place.length, place.plain_len);
    }
}

bool op_diff(Repo *repo, const Id *before, const Id *after, bool metadata, DiffEach each,
             void *user, const Cancel *cancel, DiffStats *ret_stats, GError **error)
{
    Diff diff = { .repo = repo, .metadata = metadata, .each = each, .user = user };
    Both roots = { before, after };
    bool ok;

    diff.cancel = cancel;
    diff.opener = blob_opener_new(repo);
    diff.common = used_blobs_new(repo);
    diff.path = g_string_new("/");
    side_init(&diff.before, repo);
    side_init(&diff.after, repo);
    side_add(&diff.before, BLOB_TREE, before);
    side_add(&diff.after, BLOB_TREE, after);
    ok = compare_trees(&diff, &roots, error) && cancel_check(cancel, error);
    if (ok) {
        count_blobs(&diff, &diff.before, &diff.after, &diff.stats.removed);
        count_blobs(&diff, &diff.after, &diff.before, &diff.stats.added);
        *ret_stats = diff.stats;
    }
    side_done(&diff.before);
    side_done(&diff.after);
    used_blobs_free(diff.common);
    blob_opener_free(diff.opener);
    g_string_free(diff.path, TRUE);
    if (ok && diff.unreadable > 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL,
                    "%u %s could not be read; what differs in %s is not known", diff.unreadable,
                    plural(diff.unreadable, "directory", "directories"),
                    plural(diff.unreadable, "it", "them"));
        return false;
    }
    return ok;
}
