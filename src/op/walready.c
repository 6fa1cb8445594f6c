/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walready.h"

#include "base/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define STATUS_DIR "archive_status"
#define READY      ".ready"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DIR, closedir)

static DIR *open_status(int pg_wal)
{
    fs_autoclose int fd =
        openat(pg_wal, STATUS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir)
        fd = -1; // the stream has it now
    return dir;
}

static bool parse_ready(const char *file, WalName *ret_name)
{
    g_autofree char *name = NULL;

    if (!g_str_has_suffix(file, READY))
        return false;
    name = g_strndup(file, strlen(file) - strlen(READY));
    return wal_name_parse(name, ret_name, NULL);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return wal_name_compare(a, b);
}

GArray *wal_ready_after(int pg_wal, const WalName *after, guint max)
{
    GArray *names = g_array_new(FALSE, FALSE, sizeof(WalName));
    g_autoptr(DIR) dir = open_status(pg_wal);
    struct dirent *entry;
    WalName name;

    while (dir && (entry = readdir(dir)))
        if (parse_ready(entry->d_name, &name) && name.kind == WAL_SEGMENT &&
            name.timeline == after->timeline && wal_name_compare(&name, after) > 0)
            g_array_append_val(names, name);
    g_array_sort(names, compare_names);
    if (names->len > max)
        g_array_set_size(names, max);
    return names;
}

bool wal_ready_is(int pg_wal, const WalName *name)
{
    g_autofree char *path = g_strdup_printf(STATUS_DIR "/%s" READY, wal_name_text(name).text);

    return faccessat(pg_wal, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
