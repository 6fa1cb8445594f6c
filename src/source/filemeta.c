/* SPDX-License-Identifier: Apache-2.0 */
#include "source/filemeta.h"

#include "base/error.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define XATTR_LIST_ROOM                                                                            \
    (64 * 1024) /* the kernel's own limits, XATTR_LIST_MAX and XATTR_SIZE_MAX                      \
                 */
#define XATTR_VALUE_ROOM (64 * 1024)

struct OwnerNames {
    GHashTable *users, *groups; /* id -> name, NULL when it has none */
};

OwnerNames *owner_names_new(void)
{
    OwnerNames *names = g_new0(OwnerNames, 1);

    names->users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    names->groups = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return names;
}

void owner_names_free(OwnerNames *names)
{
    if (!names)
        return;
    g_hash_table_unref(names->users);
    g_hash_table_unref(names->groups);
    g_free(names);
}

static const char *user_name(OwnerNames *names, uid_t uid)
{
    gpointer name;

    if (!g_hash_table_lookup_extended(names->users, GUINT_TO_POINTER(uid), NULL, &name)) {
        char room[16 * 1024];
        struct passwd entry, *found = NULL;

        (void)getpwuid_r(uid, &entry, room, sizeof room, &found); // no name is no failure
        name = found ? g_strdup(found->pw_name) : NULL;
        g_hash_table_insert(names->users, GUINT_TO_POINTER(uid), name);
    }
    return name;
}

static const char *group_name(OwnerNames *names, gid_t gid)
{
    gpointer name;

    if (!g_hash_table_lookup_extended(names->groups, GUINT_TO_POINTER(gid), NULL, &name)) {
        char room[64 * 1024];
        struct group entry, *found = NULL;

        (void)getgrgid_r(gid, &entry, room, sizeof room, &found);
        name = found ? g_strdup(found->gr_name) : NULL;
        g_hash_table_insert(names->groups, GUINT_TO_POINTER(gid), name);
    }
    return name;
}

static Timestamp from_timespec(struct timespec time)
{
    return (Timestamp){ .sec = time.tv_sec, .nsec = (uint32_t)time.tv_nsec };
}

void node_update_from_stat(Node *node, const struct stat *st, bool with_atime)
{
    bool counts_links = !S_ISDIR(st->st_mode) && !S_ISFIFO(st->st_mode) && !S_ISSOCK(st->st_mode);

    node->mode = st->st_mode;
    node->mtime = from_timespec(st->st_mtim);
    node->ctime = from_timespec(st->st_ctim);
    node->atime = with_atime ? from_timespec(st->st_atim) : node->mtime;
    node->uid = st->st_uid;
    node->gid = st->st_gid;
    node->inode = st->st_ino;
    node->device_id = st->st_dev;
    node->links = counts_links ? st->st_nlink : 0;
    node->size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
    node->device = S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode) ? st->st_rdev : 0;
}

Node *node_from_stat(const char *name, const struct stat *st, OwnerNames *names, bool with_atime)
{
    Node *node = node_new();

    node->name = g_strdup(name);
    node_update_from_stat(node, st, with_atime);
    node->user = g_strdup(user_name(names, st->st_uid));
    node->group = g_strdup(group_name(names, st->st_gid));
    return node;
}

/* ---- extended attributes ---- */

typedef struct {
    int fd;           /* -1: by path, without following */
    const char *path; /* for the system call */
} XattrPlace;

static ssize_t place_list(const XattrPlace *place, char *out, size_t room)
{
    return place->fd >= 0 ? flistxattr(place->fd, out, room) : llistxattr(place->path, out, room);
}

static ssize_t place_get(const XattrPlace *place, const char *name, void *out, size_t room)
{
    return place->fd >= 0 ? fgetxattr(place->fd, name, out, room)
                          : lgetxattr(place->path, name, out, room);
}

static bool read_one(Node *node, const XattrPlace *place, const char *name, GError **error)
{
    g_autofree char *value = g_malloc(XATTR_VALUE_ROOM);
    ssize_t len = place_get(place, name, value, XATTR_VALUE_ROOM);
    NodeXattr xattr;

    if (len < 0 && errno == ENODATA)
        return true; // removed since it was listed
    if (len < 0) {
        bs_error_errno(error, errno, "read extended attribute %s", name);
        return false;
    }
    xattr.name = g_strdup(name);
    xattr.value = g_bytes_new(value, (size_t)len);
    g_array_append_val(node->xattrs, xattr);
    return true;
}

static bool read_xattrs(Node *node, const XattrPlace *place, GError **error)
{
    char small[1024];
    g_autofree char *large = NULL;
    char *list = small;
    ssize_t len = place_list(place, small, sizeof small);

    if (len < 0 && errno == ERANGE) {
        list = large = g_malloc(XATTR_LIST_ROOM);
        len = place_list(place, large, XATTR_LIST_ROOM);
    }
    if (len < 0 && (errno == ENOTSUP || errno == ENOSYS))
        return true;
    if (len < 0) {
        bs_error_errno(error, errno, "list extended attributes");
        return false;
    }
    if (len == 0)
        return true;
    if (!node->xattrs)
        node->xattrs = node_xattrs_new();
    for (const char *name = list; name < list + len; name += strlen(name) + 1)
        if (!read_one(node, place, name, error))
            return false;
    return true;
}

bool node_read_xattrs_fd(Node *node, int fd, GError **error)
{
    return read_xattrs(node, &(XattrPlace){ .fd = fd }, error);
}

bool node_read_xattrs_at(Node *node, int dirfd, const char *name, GError **error)
{
    // there is no llistxattrat: the way through /proc follows the directory, never the entry
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d/%s", dirfd, name);

    return read_xattrs(node, &(XattrPlace){ .fd = -1, .path = path }, error);
}

bool node_read_link(Node *node, int dirfd, const char *name, GError **error)
{
    char target[4096 + 1];
    ssize_t len = readlinkat(dirfd, name, target, sizeof target - 1);

    if (len < 0) {
        bs_error_errno(error, errno, "read link");
        return false;
    }
    target[len] = '\0';
    g_free(node->linktarget);
    node->linktarget = g_strdup(target);
    return true;
}
