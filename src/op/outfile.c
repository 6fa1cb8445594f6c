/* SPDX-License-Identifier: Apache-2.0 */
#include "op/outfile.h"

#include "base/error.h"
#include "base/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Into a temporary file beside it, which takes its name when it is whole. */
static bool write_new(const char *target, OutfileFill fill, void *user, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(target);
    g_autofree char *partial = g_strdup_printf("%s.XXXXXX", target);
    int fd = mkostemp(partial, O_CLOEXEC);
    bool ok;

    if (fd < 0) {
        bs_error_errno(error, errno, "create %s", partial);
        return false;
    }
    ok = fill(fd, target, user, error);
    if (ok && fsync(fd) != 0) {
        bs_error_errno(error, errno, "fsync %s", partial);
        ok = false;
    }
    if (!ok)
        (void)close(fd);
    else
        ok = fs_close(fd, partial, error);
    if (ok && rename(partial, target) != 0) {
        bs_error_errno(error, errno, "rename %s to %s", partial, target);
        ok = false;
    }
    if (!ok)
        (void)unlink(partial); // what is told is why it is not whole
    return ok && fs_sync_dir(dir, error);
}

/* /dev/stderr, a named pipe, a tape. */
static bool write_special(const char *target, OutfileFill fill, void *user, GError **error)
{
    fs_autoclose int fd = open(target, O_WRONLY | O_CLOEXEC);

    if (fd < 0) {
        bs_error_errno(error, errno, "open %s", target);
        return false;
    }
    return fill(fd, target, user, error);
}

bool outfile_write(const char *target, OutfileFill fill, void *user, GError **error)
{
    struct stat old;

    if (!target)
        return fill(STDOUT_FILENO, "standard output", user, error);
    if (stat(target, &old) != 0 || S_ISREG(old.st_mode))
        return write_new(target, fill, user, error);
    if (S_ISDIR(old.st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--target %s: is a directory", target);
        return false;
    }
    return write_special(target, fill, user, error);
}
