/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/dirlinks.h"
#include "base/error.h"
#include "base/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define COPY_STEP (256u * 1024)

typedef enum { GROUP_WORKED_ON, GROUP_READY, GROUP_FAILED } GroupState;

struct LinkGroup {
    uint64_t inode, device_id; /* as the snapshot has them; the key */
    GroupState state;
    TargetDir *dir; /* where the first lies, under which name, and which file that was */
    char *name;
    dev_t dev;
    ino_t ino;
    GPtrArray *waiting; /* of TargetFile */
};

struct HardLinks {
    Target *target;
    LinkDone done;
    void *user;
    pthread_mutex_t mutex;
    GHashTable *groups;
};

static guint group_hash(gconstpointer key)
{
    const LinkGroup *group = key;

    return (guint)(group->inode * 2654435761u ^ group->device_id);
}

static gboolean group_equal(gconstpointer a, gconstpointer b)
{
    const LinkGroup *left = a, *right = b;

    return left->inode == right->inode && left->device_id == right->device_id;
}

static void group_free(gpointer data)
{
    LinkGroup *group = data;

    g_assert(group->waiting->len == 0);
    g_ptr_array_unref(group->waiting);
    target_dir_unref(group->dir);
    g_free(group->name);
    g_free(group);
}

HardLinks *hard_links_new(Target *target, LinkDone done, void *user)
{
    HardLinks *links = g_new0(HardLinks, 1);

    links->target = target;
    links->done = done;
    links->user = user;
    pthread_mutex_init(&links->mutex, NULL);
    links->groups = g_hash_table_new_full(group_hash, group_equal, group_free, NULL);
    return links;
}

void hard_links_free(HardLinks *links)
{
    g_hash_table_unref(links->groups);
    pthread_mutex_destroy(&links->mutex);
    g_free(links);
}

LinkRole hard_links_join(HardLinks *links, const Node *node, LinkGroup **ret_group)
{
    LinkGroup key = { .inode = node->inode, .device_id = node->device_id };
    LinkGroup *group;
    LinkRole role = LINK_LATER;

    *ret_group = NULL;
    if (node->links < 2 || node->inode == 0)
        return LINK_NONE;
    pthread_mutex_lock(&links->mutex);
    group = g_hash_table_lookup(links->groups, &key);
    if (!group) {
        group = g_new0(LinkGroup, 1);
        group->inode = key.inode;
        group->device_id = key.device_id;
        group->waiting = g_ptr_array_new();
        g_hash_table_add(links->groups, group);
        role = LINK_FIRST;
    } else if (group->state == GROUP_FAILED) {
        group->state = GROUP_WORKED_ON;
        role = LINK_FIRST;
    }
    pthread_mutex_unlock(&links->mutex);
    *ret_group = group;
    return role;
}

/* ---- one link ---- */

static bool is_file(int dirfd, const char *name, dev_t dev, ino_t ino)
{
    struct stat st;

    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == dev &&
           st.st_ino == ino;
}

static bool link_in_place(Target *target, const LinkGroup *group, int from, TargetFile *file,
                          int to)
{
    const char *name = file->node->name;
    TempName temp = target_temp_name(target);
    bool ok;

    if (file->existed && is_file(to, name, group->dev, group->ino))
        return true;
    if (linkat(from, group->name, to, temp.text, 0) < 0)
        return false;
    // whatever may have happened to the first name since: only that file, or none
    ok = is_file(to, temp.text, group->dev, group->ino) &&
         target_replace(target, file->dir, to, temp.text, name, NULL);
    if (!ok)
        (void)unlinkat(to, temp.text, 0);
    return ok;
}

static bool copy_content(Target *target, int fd, TargetFile *file, GError **error)
{
    g_autofree char *buf = g_malloc(COPY_STEP);
    uint64_t offset = 0;
    size_t len = 0;

    do {
        if (!fs_pread_full(fd, buf, COPY_STEP, offset, &len, file->node->name, error) ||
            (len > 0 && !target_file_write(target, file, offset, buf, len, error)))
            return false;
        offset += len;
    } while (len == COPY_STEP);
    return true;
}

static bool copy_in_place(Target *target, const LinkGroup *group, int from, TargetFile *file,
                          GError **error)
{
    fs_autoclose int fd =
        fs_open_beneath(from, group->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, error);
    struct stat st;

    if (fd < 0)
        return false;
    if (fstat(fd, &st) < 0 || st.st_dev != group->dev || st.st_ino != group->ino) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s, its other name, was replaced",
                    group->name);
        return false;
    }
    if (copy_content(target, fd, file, error))
        return target_file_finish(target, file, NULL, error);
    target_file_drop(file);
    return false;
}

static bool make_link(Target *target, const LinkGroup *group, TargetFile *file, GError **error)
{
    int from = target_dir_pin(group->dir, error);
    int to = from >= 0 ? target_dir_pin(file->dir, error) : -1;
    bool ok = to >= 0 && (link_in_place(target, group, from, file, to) ||
                          copy_in_place(target, group, from, file, error));

    if (to >= 0)
        target_dir_unpin(file->dir);
    if (from >= 0)
        target_dir_unpin(group->dir);
    return ok;
}

/* ---- the group ---- */

static void finish_one(HardLinks *links, const LinkGroup *group, GroupState state, TargetFile *file)
{
    g_autoptr(GError) problem = NULL;

    if (state == GROUP_READY)
        (void)make_link(links->target, group, file, &problem);
    else
        g_set_error_literal(&problem, BS_ERROR, BS_ERROR_CORRUPT,
                            "a hard link to a file that could not be restored");
    links->done(file, problem, links->user);
}

static void settle(HardLinks *links, LinkGroup *group, GroupState state)
{
    g_autoptr(GPtrArray) waiting = NULL;

    pthread_mutex_lock(&links->mutex);
    group->state = state;
    waiting = group->waiting;
    group->waiting = g_ptr_array_new();
    pthread_mutex_unlock(&links->mutex);
    for (guint i = 0; i < waiting->len; i++)
        finish_one(links, group, state, waiting->pdata[i]);
}

void hard_links_ready(HardLinks *links, LinkGroup *group, const TargetFile *first,
                      const struct stat *identity)
{
    group->dir = target_dir_ref(first->dir);
    group->name = g_strdup(first->node->name);
    group->dev = identity->st_dev;
    group->ino = identity->st_ino;
    settle(links, group, GROUP_READY);
}

void hard_links_failed(HardLinks *links, LinkGroup *group)
{
    settle(links, group, GROUP_FAILED);
}

void hard_links_add(HardLinks *links, LinkGroup *group, TargetFile *file)
{
    GroupState state;

    pthread_mutex_lock(&links->mutex);
    state = group->state;
    if (state == GROUP_WORKED_ON)
        g_ptr_array_add(group->waiting, file);
    pthread_mutex_unlock(&links->mutex);
    if (state != GROUP_WORKED_ON)
        finish_one(links, group, state, file);
}
