/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/dirmark.h"

#include "base/error.h"
#include "base/fs.h"
#include "flow/dirsink.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool dir_mark_set(int root_fd, bool durable, struct stat *ret_mark, GError **error)
{
    fs_autoclose int fd = fs_open_beneath(
        root_fd, DIR_SINK_MARK, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600, error);

    if (fd < 0)
        return false;
    if (fstat(fd, ret_mark) < 0 || (durable && fsync(fd) < 0)) {
        bs_error_errno(error, errno, "write %s", DIR_SINK_MARK);
        return false;
    }
    return !durable || fs_sync_dir_fd(root_fd, DIR_SINK_MARK, error);
}

bool dir_mark_clear(int root_fd, const struct stat *mark, GError **error)
{
    struct stat st;

    if (fstatat(root_fd, DIR_SINK_MARK, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        st.st_ino != mark->st_ino || unlinkat(root_fd, DIR_SINK_MARK, 0) == 0)
        return true;
    bs_error_errno(error, errno, "remove %s", DIR_SINK_MARK);
    return false;
}

bool dir_sink_unmark(const char *target, GError **error)
{
    fs_autoclose int fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && (unlinkat(fd, DIR_SINK_MARK, 0) == 0 || errno == ENOENT))
        return true;
    bs_error_errno(error, errno, "remove %s in %s", DIR_SINK_MARK, target);
    return false;
}
