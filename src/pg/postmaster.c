/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/postmaster.h"

#include "base/error.h"
#include "base/fs.h"
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#define PID_FILE     "postmaster.pid"
#define PID_FILE_MAX 4096u

static bool read_pid(const char *path, pid_t *ret_pid, GError **error)
{
    g_autoptr(GBytes) content = NULL;
    g_autofree char *text = NULL;
    gint64 pid = 0;
    char *end;

    if (!fs_read_file(path, PID_FILE_MAX, &content, error))
        return false;
    text = g_strndup(g_bytes_get_data(content, NULL), g_bytes_get_size(content));
    pid = g_ascii_strtoll(text, &end, 10);
    if (pid != 0 && ABS(pid) < G_MAXINT32 && (*end == '\n' || *end == '\r' || *end == '\0')) {
        *ret_pid = (pid_t)ABS(pid);
        return true;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "%s does not say which process it is of; remove it when no server runs there",
                path);
    return false;
}

static bool works_in(pid_t pid, const char *pgdata)
{
    g_autofree char *link = g_strdup_printf("/proc/%ld/cwd", (long)pid);
    struct stat there, data;

    if (kill(pid, 0) < 0 && errno == ESRCH)
        return false;
    // a process that has ended, and nobody has taken notice, works nowhere
    if (stat(link, &there) < 0)
        return errno != ENOENT;
    return stat(pgdata, &data) == 0 && there.st_dev == data.st_dev && there.st_ino == data.st_ino;
}

bool pg_postmaster_find(const char *pgdata, pid_t *ret_pid, GError **error)
{
    g_autofree char *path = g_build_filename(pgdata, PID_FILE, NULL);
    g_autoptr(GError) failure = NULL;
    struct stat st;
    pid_t pid;

    *ret_pid = 0;
    if (stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
        return true;
    if (!read_pid(path, &pid, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
            return true; // it has just ended
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    *ret_pid = works_in(pid, pgdata) ? pid : 0;
    return true;
}
