/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/target.h"
#include "base/error.h"
#include "flow/dirmeta.h"
#include "flow/dirremove.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TempName target_temp_name(Target *target)
{
    TempName name;

    snprintf(name.text, sizeof name.text, ".backstay-%016" G_GINT64_MODIFIER "x-%u", target->salt,
             atomic_fetch_add(&target->n_temps, 1));
    return name;
}

void target_report(const Target *target, const TargetDir *dir, const Node *node, const char *action)
{
    g_autofree char *path = NULL;

    if (!target->options.report)
        return;
    path = target_dir_path(dir, node->name);
    target->options.report(path, node, action, target->options.user);
}

void target_warn(const Target *target, const TargetDir *dir, const char *name,
                 const GError *problem)
{
    g_autofree char *path = NULL;

    if (!target->options.warn)
        return;
    path = target_dir_path(dir, name);
    target->options.warn(path, problem, target->options.user);
}

typedef struct {
    const Target *target;
    const TargetDir *dir;
    const char *name;
} WarnPlace;

static void warn_meta(void *user, const GError *problem)
{
    const WarnPlace *place = user;

    target_warn(place->target, place->dir, place->name, problem);
}

void target_restore_meta(const Target *target, const TargetDir *dir, int fd, const Node *node)
{
    WarnPlace place = { target, dir, node->name };
    MetaOptions options = {
        .no_special = target->options.no_special,
        .exact = target->options.delta != NULL,
        .warn = warn_meta,
        .user = &place,
    };

    meta_restore(fd, node, &options);
}

Node *target_metadata(const Node *node)
{
    Node *copy = node_new();

    *copy = *node;
    copy->name = g_strdup(node->name);
    copy->user = copy->group = NULL;
    copy->linktarget = NULL;
    copy->content = NULL;
    copy->xattrs = node->xattrs ? g_array_ref(node->xattrs) : NULL;
    return copy;
}

bool target_look(TargetDir *dir, const char *name, struct stat *ret_st, GError **error)
{
    int dirfd;
    bool ok = true;

    memset(ret_st, 0, sizeof *ret_st);
    if (dir->fresh)
        return true;
    dirfd = target_dir_pin(dir, error);
    if (dirfd < 0)
        return false;
    if (fstatat(dirfd, name, ret_st, AT_SYMLINK_NOFOLLOW) < 0) {
        ret_st->st_mode = 0;
        ok = errno == ENOENT;
        if (!ok)
            bs_error_errno(error, errno, "look at what is there");
    }
    target_dir_unpin(dir);
    return ok;
}

bool target_wants(const Target *target, const Node *node, const struct stat *there)
{
    Timestamp mtime = { .sec = there->st_mtim.tv_sec, .nsec = (uint32_t)there->st_mtim.tv_nsec };

    if (!there->st_mode)
        return true;
    switch (target->options.overwrite) {
    case OVERWRITE_NEVER:
        return false;
    case OVERWRITE_IF_NEWER:
        return timestamp_compare(node->mtime, mtime) > 0;
    default:
        return true;
    }
}

bool target_trusts(const Target *target, const Node *node, const struct stat *there)
{
    Timestamp mtime = { .sec = there->st_mtim.tv_sec, .nsec = (uint32_t)there->st_mtim.tv_nsec };

    return target->options.overwrite == OVERWRITE_IF_CHANGED && S_ISREG(there->st_mode) &&
           there->st_nlink == 1 && (uint64_t)there->st_size == node->size &&
           timestamp_compare(mtime, node->mtime) == 0;
}

/* An empty directory gives way to anything; a full one only to who asked for extra things to be
 * removed. */
static bool remove_directory(const Target *target, const TargetDir *dir, int dirfd,
                             const char *name, GError **error)
{
    g_autofree char *path = NULL;
    bool may_delete = target->options.delete_extra || target->options.delta;

    if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
        return true;
    path = target_dir_path(dir, name);
    if (may_delete && target->options.may_delete)
        may_delete = target->options.may_delete(path, target->options.user);
    if (may_delete)
        return remove_tree_at(dirfd, name, error);
    g_set_error_literal(
        error, BS_ERROR, BS_ERROR_NOT_EMPTY,
        "a directory that is not empty has its name; remove it or restore with --delete");
    return false;
}

bool target_replace(const Target *target, const TargetDir *dir, int dirfd, const char *temp,
                    const char *name, GError **error)
{
    if (renameat(dirfd, temp, dirfd, name) == 0)
        return true;
    if (errno == EISDIR) {
        if (!remove_directory(target, dir, dirfd, name, error))
            return false;
        if (renameat(dirfd, temp, dirfd, name) == 0)
            return true;
    }
    bs_error_errno(error, errno, "rename into place");
    return false;
}
