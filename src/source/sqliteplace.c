/* SPDX-License-Identifier: Apache-2.0 */
#include "source/sqliteplace.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/movetogether.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

/* Moved with the database, and what is only of use to running processes. */
static const char *const companions[] = { "-wal", "-journal", NULL };
#define SHARED_MEMORY "-shm"

/* SQLite's locks (os.h, "PENDING_BYTE", and wal.c of the -shm file). */
#define DB_LOCKS  0x40000000
#define DB_LEN    512
#define SHM_LOCKS 120
#define SHM_LEN   9

/* ---- in use ---- */

static bool is_locked(const char *path, off_t start, off_t len)
{
    fs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

    return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* A connection that is idle holds no lock, but the file open: of that a lease knows, where there
 * are leases and we may have one (fcntl(2)). */
static bool is_open(const char *path)
{
    fs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fcntl(fd, F_SETLEASE, F_WRLCK) == 0)
        return false; // given back with the descriptor
    return errno == EAGAIN;
}

static bool refuse_use(const char *path, GError **error)
{
    g_autofree char *memory = g_strconcat(path, SHARED_MEMORY, NULL);

    if (!is_open(path) && !is_locked(path, DB_LOCKS, DB_LEN) &&
        !is_locked(memory, SHM_LOCKS, SHM_LEN) && !is_open(memory))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_LOCKED,
                "%s is in use: a process has it open; stop the application first", path);
    return false;
}

/* ---- looking ---- */

static char *resolve(const char *path, GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autofree char *directory = g_path_get_dirname(absolute),
                    *name = g_path_get_basename(absolute);
    char *real = realpath(absolute, NULL), *made;

    if (!real && errno == ENOENT) {
        g_autofree char *above = realpath(directory, NULL);

        if (above)
            return g_build_filename(above, name, NULL);
    }
    if (!real) {
        bs_error_errno(error, errno, "%s", absolute);
        return NULL;
    }
    made = g_strdup(real);
    free(real);
    return made;
}

bool sqlite_place_look(const char *path, bool exact, SqlitePlace *ret_place, GError **error)
{
    g_auto(SqlitePlace) place = { .mode = 0600, .uid = geteuid(), .gid = getegid() };
    struct stat st;

    place.path = exact ? g_strdup(path) : resolve(path, error);
    if (!place.path)
        return false;
    place.exists = lstat(place.path, &st) == 0;
    if (!place.exists && errno != ENOENT) {
        bs_error_errno(error, errno, "%s", place.path);
        return false;
    }
    if (place.exists && !S_ISREG(st.st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s is no file", place.path);
        return false;
    }
    if (place.exists) {
        place.mode = st.st_mode & 07777;
        place.uid = st.st_uid;
        place.gid = st.st_gid;
        if (!refuse_use(place.path, error))
            return false;
    }
    *ret_place = place;
    place = (SqlitePlace){ 0 };
    return true;
}

void sqlite_place_clear(SqlitePlace *place)
{
    g_clear_pointer(&place->path, g_free);
}

/* ---- taking ---- */

/* "app.db-before-20261121T101500Z", and one more letter for each that is there already. */
static char *name_for_old(const char *path)
{
    time_t now = (time_t)clock_now().sec;
    char text[32];
    struct tm utc;
    char *name;

    gmtime_r(&now, &utc);
    (void)strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
    name = g_strconcat(path, "-before-", text, NULL);
    while (g_file_test(name, G_FILE_TEST_EXISTS)) {
        char *longer = g_strconcat(name, "x", NULL);

        g_free(name);
        name = longer;
    }
    return name;
}

static bool put_aside(const char *path, const char *kept, GError **error)
{
    g_autofree char *memory = g_strconcat(path, SHARED_MEMORY, NULL);

    if (!move_together(path, kept, companions, error))
        return false;
    (void)unlink(memory); // it is made anew from the WAL
    return true;
}

/* Of a database that is not there any more: they would be applied to the new one. */
static bool refuse_orphans(const char *path, GError **error)
{
    for (const char *const *suffix = companions; *suffix; suffix++) {
        g_autofree char *companion = g_strconcat(path, *suffix, NULL);

        if (g_file_test(companion, G_FILE_TEST_EXISTS)) {
            g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                        "%s is there without its database, and SQLite would apply it to the new "
                        "one; move it away first",
                        companion);
            return false;
        }
    }
    return true;
}

/* What has appeared there since it was looked at is somebody's. */
static bool give(const SqlitePlace *place, const char *fresh, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(place->path);
    g_autoptr(GError) failure = NULL;

    if (move_new(fresh, place->path, &failure))
        return fs_sync_dir(directory, error);
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_EXISTS))
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                    "%s was made by somebody else while its backup was fetched; stop the "
                    "application, and with --force it is kept under another name",
                    place->path);
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool sqlite_place_take(const SqlitePlace *place, const char *fresh, char **ret_kept, GError **error)
{
    g_autofree char *kept = place->exists ? name_for_old(place->path) : NULL;

    if (chown(fresh, place->uid, place->gid) < 0 || chmod(fresh, place->mode) < 0) {
        bs_error_errno(error, errno, "owner and mode of %s", fresh);
        return false;
    }
    if (!kept) {
        if (!refuse_orphans(place->path, error) || !give(place, fresh, error))
            return false;
    } else if (!refuse_use(place->path, error)) {
        return false;
    } else if (!put_aside(place->path, kept, error) || !give(place, fresh, error)) {
        if (!g_file_test(place->path, G_FILE_TEST_EXISTS))
            (void)move_together(kept, place->path, companions, NULL); // it was told already
        return false;
    }
    *ret_kept = g_steal_pointer(&kept);
    return true;
}
