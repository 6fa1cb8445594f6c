/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/fs.h"
#include "source/pgdirwalking.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static void space_clear(gpointer data)
{
    dir_handle_unref(((PgDirSpace *)data)->dir);
}

static void tablespace_clear(gpointer data)
{
    g_free(((PgTablespace *)data)->location);
}

void pg_dir_spaces_free(PgDirSpaces *spaces)
{
    if (!spaces)
        return;
    g_array_unref(spaces->list);
    g_array_unref(spaces->open);
    dir_handle_unref(spaces->top);
    g_free(spaces->version);
    g_free(spaces);
}

const GArray *pg_dir_spaces_list(const PgDirSpaces *spaces)
{
    return spaces->list;
}

bool pg_dir_spaces_has(const PgDirSpaces *spaces, uint32_t oid)
{
    for (guint i = 0; i < spaces->list->len; i++)
        if (g_array_index(spaces->list, PgTablespace, i).oid == oid)
            return true;
    return false;
}

/* Where a link points, or the path of a directory that lies there itself. */
static char *location_of(int links, const char *name)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(links, name, target, sizeof target);

    return n < 0 ? g_strconcat("pg_tblspc/", name, NULL) : g_strndup(target, (size_t)n);
}

static bool add_space(PgDirSpaces *spaces, int links, const char *name, GError **error)
{
    int fd = openat(links, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    PgTablespace listed = { 0 };
    PgDirSpace one = { 0 };
    guint64 oid;

    if (!g_ascii_string_to_unsigned(name, 10, 1, UINT32_MAX, &oid, NULL)) {
        fs_clear_fd(&fd);
        return true; // not a server's, as it sees it, too
    }
    if (fd < 0 && errno == ENOENT && faccessat(links, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return true; // dropped meanwhile
    if (fd < 0 || fstat(fd, &one.st) != 0) {
        bs_error_errno(error, errno, "open tablespace pg_tblspc/%s", name);
        fs_clear_fd(&fd);
        return false;
    }
    one.dir = dir_handle_new(fd);
    listed.oid = (uint32_t)oid;
    listed.location = location_of(links, name);
    g_array_append_val(spaces->open, one);
    g_array_append_val(spaces->list, listed);
    return true;
}

PgDirSpaces *pg_dir_spaces_open(int directory, const PgControl *control, GError **error)
{
    g_autoptr(PgDirSpaces) spaces = g_new0(PgDirSpaces, 1);
    g_autoptr(GPtrArray) names = NULL;
    GError *failure = NULL;
    DirHandle *links;
    int fd, top = dup(directory);
    bool ok;

    g_assert(top >= 0);
    spaces->top = dir_handle_new(top);
    spaces->list = g_array_new(FALSE, FALSE, sizeof(PgTablespace));
    spaces->open = g_array_new(FALSE, FALSE, sizeof(PgDirSpace));
    g_array_set_clear_func(spaces->list, tablespace_clear);
    g_array_set_clear_func(spaces->open, space_clear);
    spaces->version = g_strdup_printf("PG_%d_%u", control->release, control->catalog_version);
    fd = openat(directory, "pg_tblspc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        bs_error_errno(error, errno, "open pg_tblspc");
        return NULL;
    }
    links = dir_handle_new(fd);
    names = dir_handle_names(links, &failure);
    ok = !failure;
    for (guint i = 0; ok && i < names->len; i++)
        ok = add_space(spaces, fd, names->pdata[i], &failure);
    dir_handle_unref(links);
    if (ok)
        return g_steal_pointer(&spaces);
    g_propagate_error(error, failure);
    return NULL;
}
