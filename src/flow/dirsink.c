/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/dirsink.h"
#include "base/error.h"
#include "base/fs.h"
#include "flow/dirfile.h"
#include "flow/dirlinks.h"
#include "flow/dirmark.h"
#include "flow/dirpatch.h"
#include "flow/dirspecial.h"
#include "flow/dirtree.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    Sink base;
    Target target;
    TargetDirs *dirs;
    HardLinks *links;
    TargetDir *current; /* the innermost directory that was begun; the calling thread's */
    bool begun;
    struct stat mark;
} DirSink;

/* A handle. */
typedef struct {
    TargetDir *dir;   /* a directory: itself */
    TargetFile *file; /* a regular file */
    LinkGroup *link;
    LinkRole role;
    bool unchanged; /* what lies there is trusted to have this content */
} Item;

static Item *item_new(TargetDir *dir)
{
    Item *item = g_new0(Item, 1);

    item->dir = dir;
    return item;
}

/* ---- directories ---- */

static bool begin_directory(DirSink *sink, const Node *node, const struct stat *there,
                            Item **ret_item, GError **error)
{
    const DirSinkOptions *options = &sink->target.options;
    TargetDir *parent = sink->current, *dir;
    bool fresh = !S_ISDIR(there->st_mode);
    int fd = -1;

    if (!(options->dry_run && fresh) &&
        !dir_tree_open(&sink->target, parent, node->name, there, &fd, &fresh, error))
        return false;
    dir = target_dir_new(parent, node->name, fd);
    dir->fresh = fresh;
    dir->node = target_metadata(node);
    if (options->delete_extra && !fresh)
        dir->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    dir_tree_enter(parent);
    sink->current = dir;
    if (!options->sweep)
        target_report(&sink->target, parent, node, fresh ? "restored" : "updated");
    *ret_item = item_new(dir);
    return true;
}

/* ---- links, devices, pipes ---- */

static bool begin_special(DirSink *sink, const Node *node, const struct stat *there,
                          Item **ret_item, GError **error)
{
    if (!sink->target.options.dry_run &&
        !dir_special_make(&sink->target, sink->current, node, error))
        return false;
    target_report(&sink->target, sink->current, node, there->st_mode ? "updated" : "restored");
    *ret_item = item_new(NULL);
    return true;
}

/* ---- files ---- */

static void begin_file(DirSink *sink, const Node *node, const struct stat *there, Item **ret_item)
{
    Item *item = item_new(sink->current);

    item->file = target_file_new(sink->current, target_metadata(node));
    item->file->existed = there->st_mode != 0;
    item->unchanged = target_trusts(&sink->target, node, there);
    if (!item->unchanged && !sink->target.options.dry_run)
        item->role = hard_links_join(sink->links, node, &item->link);
    item->file->delta =
        sink->target.options.delta && item->role != LINK_LATER && S_ISREG(there->st_mode);
    dir_tree_enter(sink->current);
    *ret_item = item;
}

static void end_of_file(const DirSink *sink, TargetFile *file)
{
    TargetDir *dir = target_dir_ref(file->dir);

    target_file_free(file);
    dir_tree_leave(&sink->target, dir);
    target_dir_unref(dir);
}

static void link_done(TargetFile *file, const GError *problem, void *user)
{
    DirSink *sink = user;

    if (problem)
        target_warn(&sink->target, file->dir, file->node->name, problem);
    else
        target_report(&sink->target, file->dir, file->node, file->existed ? "updated" : "restored");
    end_of_file(sink, file);
}

static bool finish_file(DirSink *sink, Item *item, GError **error)
{
    struct stat identity;

    if (item->file->delta && sink->target.options.dry_run)
        target_patch_seen(&sink->target, item->file);
    if (sink->target.options.dry_run)
        return true;
    if (item->unchanged)
        return target_file_refresh(&sink->target, item->file, error);
    if (item->role != LINK_FIRST)
        return target_file_finish(&sink->target, item->file, NULL, error);
    if (!target_file_finish(&sink->target, item->file, &identity, error)) {
        hard_links_failed(sink->links, item->link);
        return false;
    }
    hard_links_ready(sink->links, item->link, item->file, &identity);
    return true;
}

static const char *what_was_done(const Item *item)
{
    const TargetFile *file = item->file;

    if (item->unchanged || (file->delta && !file->differs))
        return "unchanged";
    return file->existed ? "updated" : "restored";
}

static bool end_file(DirSink *sink, Item *item, GError **error)
{
    TargetFile *file = item->file;
    bool ok;

    if (item->role == LINK_LATER) {
        hard_links_add(sink->links, item->link, file);
        return true;
    }
    ok = finish_file(sink, item, error);
    if (ok)
        target_report(&sink->target, file->dir, file->node, what_was_done(item));
    end_of_file(sink, file);
    return ok;
}

/* ---- the sink ---- */

/* The decoder has refused such names already; here is where they would do harm. */
static bool check_name(const char *name, GError **error)
{
    if (*name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/'))
        return true;
    g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, "a name that cannot be a file's");
    return false;
}

/* Messages speak of paths in the snapshot: the target stands for where the first entry lies. */
static void first_entry(DirSink *sink, const Entry *entry)
{
    TargetDir *root = target_dirs_root(sink->dirs);
    size_t path_len = strlen(entry->path), name_len = strlen(entry->node->name) + 1;

    sink->begun = true;
    if (path_len > name_len) {
        g_free(root->name);
        root->name = g_strndup(entry->path, path_len - name_len);
    }
}

static bool pass_over(GError **error)
{
    g_set_error_literal(error, BS_ERROR, BS_ERROR_SOFT_SKIP, "not wanted");
    return false;
}

static bool skip(const DirSink *sink, const Node *node, GError **error)
{
    target_report(&sink->target, sink->current, node, "skipped");
    return pass_over(error);
}

static bool dir_begin(Sink *base, const Entry *entry, void **ret_handle, GError **error)
{
    DirSink *sink = (DirSink *)base;
    const Node *node = entry->node;
    struct stat there;
    Item *item = NULL;
    bool ok = true;

    if (!check_name(node->name, error))
        return false;
    if (!sink->begun)
        first_entry(sink, entry);
    if (sink->current->names)
        g_hash_table_add(sink->current->names, g_strdup(node->name));
    if (sink->target.options.sweep && !S_ISDIR(node->mode))
        return pass_over(error);
    if (node->irregular || S_ISSOCK(node->mode) ||
        (sink->target.options.no_special && (S_ISBLK(node->mode) || S_ISCHR(node->mode))))
        return skip(sink, node, error);
    if (!target_look(sink->current, node->name, &there, error))
        return false;
    if (!S_ISDIR(node->mode) && !target_wants(&sink->target, node, &there))
        return skip(sink, node, error);
    if (S_ISDIR(node->mode))
        ok = begin_directory(sink, node, &there, &item, error);
    else if (S_ISREG(node->mode))
        begin_file(sink, node, &there, &item);
    else
        ok = begin_special(sink, node, &there, &item, error);
    *ret_handle = item;
    return ok;
}

static bool dir_reuse(Sink *base, void *handle, bool *ret_reused, GError **error)
{
    const Item *item = handle;
    const DirSinkOptions *options = &((DirSink *)base)->target.options;

    (void)error;
    *ret_reused =
        item->unchanged || item->role == LINK_LATER || (options->dry_run && !options->delta);
    return true;
}

/* A dry run only counts. */
static bool dir_has(Sink *base, void *handle, uint64_t offset, size_t len, const Id *id,
                    bool *ret_has, GError **error)
{
    Target *target = &((DirSink *)base)->target;
    DirDelta *delta = target->options.delta;
    TargetFile *file = ((Item *)handle)->file;

    if (!delta)
        return target_file_has_hole(target, file, offset, len, id, ret_has, error);
    if (file->delta && !target_patch_has(target, file, offset, len, id, ret_has, error))
        return false;
    if (*ret_has)
        atomic_fetch_add(&delta->same, len);
    else if (target->options.dry_run)
        atomic_fetch_add(&delta->fetched, len);
    *ret_has = *ret_has || target->options.dry_run;
    return true;
}

static bool dir_write(Sink *base, void *handle, uint64_t offset, const void *data, size_t len,
                      GError **error)
{
    const Item *item = handle;
    Target *target = &((DirSink *)base)->target;

    if (target->options.delta)
        atomic_fetch_add(&target->options.delta->fetched, len);
    return target_file_write(target, item->file, offset, data, len, error);
}

static void end_directory(DirSink *sink, TargetDir *dir)
{
    g_assert(dir == sink->current);
    sink->current = dir->parent;
    dir_tree_leave(&sink->target, dir);
}

static bool dir_end(Sink *base, void *handle, const Node *node, GError **error)
{
    g_autofree Item *item = handle;

    if (!item->file) {
        if (item->dir)
            end_directory((DirSink *)base, item->dir);
        return true;
    }
    if (node) {
        node_free(item->file->node);
        item->file->node = target_metadata(node);
    }
    return end_file((DirSink *)base, item, error);
}

static void dir_abandon(Sink *base, void *handle)
{
    DirSink *sink = (DirSink *)base;
    g_autofree Item *item = handle;

    if (item->file) {
        target_file_drop(item->file);
        if (item->role == LINK_FIRST)
            hard_links_failed(sink->links, item->link);
        end_of_file(sink, item->file);
    } else if (item->dir) {
        item->dir->incomplete = true;
        end_directory(sink, item->dir);
    }
}

static bool dir_finish(Sink *base, GError **error)
{
    DirSink *sink = (DirSink *)base;
    TargetDir *root = target_dirs_root(sink->dirs);

    g_assert(sink->current == root);
    dir_tree_leave(&sink->target, root);
    if (sink->target.options.dry_run)
        return true;
    if (!sink->target.options.no_sync && syncfs(root->fd) < 0) {
        bs_error_errno(error, errno, "write the restored files to disk");
        return false;
    }
    return sink->target.options.unfinished || dir_mark_clear(root->fd, &sink->mark, error);
}

static void dir_free(Sink *base)
{
    DirSink *sink = (DirSink *)base;

    // without finish some may still be open
    while (sink->current->parent) {
        TargetDir *dir = sink->current;

        sink->current = dir->parent;
        target_dir_unref(dir);
    }
    hard_links_free(sink->links);
    target_dirs_free(sink->dirs);
    g_free(sink);
}

static const SinkOps dir_ops = {
    .name = "directory",
    .caps = SINK_MANY_OPEN | SINK_ANY_ORDER,
    .begin = dir_begin,
    .write = dir_write,
    .reuse = dir_reuse,
    .has = dir_has,
    .end = dir_end,
    .abandon = dir_abandon,
    .finish = dir_finish,
    .free = dir_free,
};

/* What the user names may be a link; what lies below may not. */
static bool open_target(DirSink *sink, const char *path, GError **error)
{
    bool dry_run = sink->target.options.dry_run;
    int fd;

    if (!dry_run && !fs_make_dirs(path, 0700, error))
        return false;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && !(dry_run && errno == ENOENT)) {
        bs_error_errno(error, errno, "open %s", path);
        return false;
    }
    sink->dirs = target_dirs_new(fd);
    sink->current = target_dirs_root(sink->dirs);
    sink->current->fresh = fd < 0;
    if (sink->target.options.delete_extra && sink->target.options.delete_in_target)
        sink->current->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (dry_run || dir_mark_set(fd, sink->target.options.delta != NULL, &sink->mark, error))
        return true;
    target_dirs_free(sink->dirs);
    return false;
}

Sink *dir_sink_new(const char *target, const DirSinkOptions *options, GError **error)
{
    DirSink *sink = g_new0(DirSink, 1);

    sink->base.ops = &dir_ops;
    sink->target.options = *options;
    random_bytes(&sink->target.salt, sizeof sink->target.salt);
    if (!open_target(sink, target, error)) {
        g_free(sink);
        return NULL;
    }
    sink->links = hard_links_new(&sink->target, link_done, sink);
    return &sink->base;
}
