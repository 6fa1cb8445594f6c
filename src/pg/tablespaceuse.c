/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/tablespaceuse.h"

#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_directory(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}
#define autoclose __attribute__((cleanup(close_directory)))

/* Does a link in pg_tblspc/ of the directory that a process works in lead there? */
static bool works_with(const char *pid, const struct stat *wanted)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/cwd/pg_tblspc", pid);
    autoclose DIR *dir = opendir(path);
    const struct dirent *entry;
    struct stat st;

    while (dir && (entry = readdir(dir)))
        if (g_ascii_isdigit(entry->d_name[0]) && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 &&
            st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino)
            return true;
    return false;
}

/* A server starts us as its restore_command, and what fetches ahead for the next call works on in
 * its directory when it is gone. */
static bool is_ours(const char *pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/exe", pid);
    struct stat theirs, ours;

    return stat(path, &theirs) == 0 && stat("/proc/self/exe", &ours) == 0 &&
           theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

bool pg_tablespace_find_user(const char *dir, pid_t *ret_pid, GError **error)
{
    autoclose DIR *processes = opendir("/proc");
    const struct dirent *entry;
    struct stat wanted;

    *ret_pid = 0;
    if (stat(dir, &wanted) != 0 && errno == ENOENT)
        return true;
    if (!processes || stat(dir, &wanted) != 0) {
        bs_error_errno(error, errno, "look whether a server uses %s", dir);
        return false;
    }
    while (*ret_pid == 0 && (entry = readdir(processes)))
        if (g_ascii_isdigit(entry->d_name[0]) && works_with(entry->d_name, &wanted) &&
            !is_ours(entry->d_name))
            *ret_pid = (pid_t)atoi(entry->d_name);
    return true;
}
