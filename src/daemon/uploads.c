/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/uploads.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "daemon/rundir.h"
#include "state/runs.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#define NAME      "the uploaded file" /* where it lies is none of the client's business */
#define NAME_LONG 200u
#define SUFFIX    ".part"

struct Upload {
    const char *dir;
    char *part, *path;
    int fd;
    uint64_t len, taken; /* len 0: not known */
};

static char *part_path(const char *dir, const char *part)
{
    return g_strdup_printf("%s/%s" SUFFIX, dir, part);
}

/* ---- while it comes ---- */

static bool check_room(const char *dir, uint64_t len, GError **error)
{
    struct statvfs fs;
    uint64_t all, left, spare;

    if (statvfs(dir, &fs) != 0) {
        bs_error_errno(error, errno, "the room for " NAME);
        return false;
    }
    all = (uint64_t)fs.f_blocks * fs.f_frsize;
    left = (uint64_t)fs.f_bavail * fs.f_frsize;
    spare = MIN(UPLOAD_SPARE, all / 20);
    if (left > spare && len <= left - spare)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_NO_SPACE,
                "the server's disk has no room for %" G_GUINT64_FORMAT " bytes", len);
    return false;
}

/* Not every file system can; then it is told when it is full. */
static bool reserve(int fd, uint64_t len, GError **error)
{
    while (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)len) != 0) {
        if (errno == EINTR)
            continue;
        if (errno == EOPNOTSUPP || errno == ENOSYS)
            return true;
        bs_error_errno(error, errno, "the room for " NAME);
        return false;
    }
    return true;
}

Upload *upload_begin(const char *dir, uint64_t len, GError **error)
{
    g_autoptr(Upload) upload = g_new0(Upload, 1);

    upload->fd = -1;
    upload->dir = dir;
    upload->len = len;
    if (!check_room(dir, len, error))
        return NULL;
    upload->part = run_id_new();
    upload->path = part_path(dir, upload->part);
    upload->fd = open(upload->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (upload->fd < 0) {
        bs_error_errno(error, errno, NAME);
        g_clear_pointer(&upload->path, g_free);
        return NULL;
    }
    return len == 0 || reserve(upload->fd, len, error) ? g_steal_pointer(&upload) : NULL;
}

bool upload_append(Upload *upload, const void *data, size_t len, GError **error)
{
    if (upload->len > 0 && len > upload->len - upload->taken) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "more came than was told");
        return false;
    }
    if (upload->len == 0 && !check_room(upload->dir, len, error))
        return false;
    if (!fs_write_all(upload->fd, data, len, NAME, error))
        return false;
    upload->taken += len;
    return true;
}

bool upload_finish(Upload *upload, GError **error)
{
    const int fd = upload->fd;

    if (upload->taken < MAX(upload->len, 1)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    upload->len > 0 ? "less came than was told" : "the file is empty");
        return false;
    }
    if (fsync(fd) != 0) {
        bs_error_errno(error, errno, NAME);
        return false;
    }
    upload->fd = -1;
    return fs_close(fd, NAME, error);
}

const char *upload_part(const Upload *upload)
{
    return upload->part;
}

void upload_free(Upload *upload)
{
    if (!upload)
        return;
    fs_clear_fd(&upload->fd);
    if (upload->path && unlink(upload->path) != 0 && errno != ENOENT)
        log_warn("an uploaded file stays until the next start", "path", upload->path, "error",
                 g_strerror(errno), NULL);
    g_free(upload->part);
    g_free(upload->path);
    g_free(upload);
}

/* ---- when it is there ---- */

bool upload_name_check(const char *name, GError **error)
{
    bool ok = *name && *name != '.' && *name != '-' && strlen(name) <= NAME_LONG &&
              g_utf8_validate(name, -1, NULL);

    for (const char *at = name; ok && *at; at++)
        ok = (unsigned char)*at >= 0x20 && *at != 0x7f && *at != '/' && *at != '\\';
    if (ok)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "\"name\" must be the name of a file: 1 to %u bytes without '/', '\\' and control "
                "characters, not beginning with '.' or '-'",
                NAME_LONG);
    return false;
}

/* dir is made, within above. */
static bool move(const char *from, const char *above, const char *dir, const char *to,
                 GError **error)
{
    struct stat st;

    if (lstat(from, &st) != 0 || !S_ISREG(st.st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no such upload");
        return false;
    }
    if (mkdir(dir, 0700) != 0 || rename(from, to) != 0) {
        bs_error_errno(error, errno, NAME);
        (void)run_dir_remove(dir);
        return false;
    }
    // who sent it is told next that it is here to stay
    return fs_sync_dir(dir, error) && fs_sync_dir(above, error);
}

bool upload_take(const char *dir, const char *part, const char *run, const char *name,
                 char **ret_path, GError **error)
{
    g_autofree char *from = NULL, *of_run = NULL, *to = NULL;

    if (!run_id_is_valid(part) || !run_id_is_valid(run)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "\"upload\" is no id of an upload");
        return false;
    }
    if (!upload_name_check(name, error))
        return false;
    from = part_path(dir, part);
    of_run = g_build_filename(dir, run, NULL);
    to = g_build_filename(of_run, name, NULL);
    if (!move(from, dir, of_run, to, error))
        return false;
    *ret_path = g_steal_pointer(&to);
    return true;
}

void upload_drop(const char *dir, const char *run)
{
    g_autofree char *path = g_build_filename(dir, run, NULL);

    if (!run_dir_remove(path) && errno != ENOENT)
        log_warn("an uploaded file cannot be removed", "path", path, "error", g_strerror(errno),
                 NULL);
}

/* ---- what is left over ---- */

void uploads_clean(const char *dir, GHashTable *keep)
{
    g_autoptr(GDir) open = g_dir_open(dir, 0, NULL);
    const char *name;

    while (open && (name = g_dir_read_name(open)))
        if (run_id_is_valid(name) && !g_hash_table_contains(keep, name))
            upload_drop(dir, name);
}

void uploads_clean_parts(const char *dir)
{
    g_autoptr(GDir) open = g_dir_open(dir, 0, NULL);
    const char *name;

    while (open && (name = g_dir_read_name(open))) {
        g_autofree char *path = g_build_filename(dir, name, NULL);

        if (g_str_has_suffix(name, SUFFIX) && unlink(path) != 0)
            log_warn("the part of an upload cannot be removed", "path", path, "error",
                     g_strerror(errno), NULL);
    }
}
