/* SPDX-License-Identifier: Apache-2.0 */
#include "state/aside.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/movetogether.h"
#include <errno.h>
#include <fcntl.h>

/* SQLite documentation, "Database File Format", "The Lock-Byte Page", and os.h: whoever has a
 * database with a log open holds a shared lock on these bytes. */
#define SHARED_FIRST (0x40000000 + 2)
#define SHARED_SIZE  510

static bool check_unused(const char *file, GError **error)
{
    struct flock lock = { .l_type = F_WRLCK, .l_start = SHARED_FIRST, .l_len = SHARED_SIZE };
    fs_autoclose int fd = open(file, O_RDWR | O_CLOEXEC);

    if (fd < 0 || fcntl(fd, F_GETLK, &lock) != 0) {
        bs_error_errno(error, errno, "catalogue %s", file);
        return false;
    }
    if (lock.l_type == F_UNLCK)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_LOCKED,
                "catalogue %s is in use by process %d; stop the daemon first", file,
                (int)lock.l_pid);
    return false;
}

bool catalog_set_aside(const char *url, const char *word, char **ret_moved_to, GError **error)
{
    static const char *const suffixes[] = { "-wal", "-shm", NULL };
    const char *file = g_str_has_prefix(url, "sqlite:") ? url + strlen("sqlite:") : url;
    g_autoptr(GDateTime) now = g_date_time_new_from_unix_utc(clock_now().sec);
    g_autofree char *time = g_date_time_format(now, "%Y%m%dT%H%M%SZ");
    g_autofree char *aside = g_strconcat(file, ".", word, "-", time, NULL);
    g_autofree char *dir = g_path_get_dirname(file);

    if (!g_path_is_absolute(file)) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "a catalogue in PostgreSQL is not set aside; restore its database");
        return false;
    }
    // a log left behind would be in the way of a new file, and a catalogue without its log is old
    if (!check_unused(file, error) || !move_together(file, aside, suffixes, error) ||
        !fs_sync_dir(dir, error))
        return false;
    *ret_moved_to = g_steal_pointer(&aside);
    return true;
}
