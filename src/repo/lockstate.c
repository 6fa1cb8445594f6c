/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/lockstate.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SUFFIX     ".held"
#define NEW_SUFFIX ".new" /* behind that */
#define MAKE_TRIES 10

struct LockState {
    char *path;
    int fd;
};

static char *dir_path(const char *state_dir)
{
    return g_build_filename(state_dir, "locks", NULL);
}

static char *file_path(const char *state_dir, const char *repo_id, const Id *lock)
{
    return g_strdup_printf("%s/locks/%s-%s" SUFFIX, state_dir, repo_id, id_hex(lock).text);
}

static int lock_fd(int fd, int how)
{
    int result;

    do
        result = flock(fd, how);
    while (result != 0 && errno == EINTR);
    return result;
}

/* -1 with errno. The file gets its name when it is locked: seen without a lock, it is a dead one.
 */
static int make_held(const char *path)
{
    g_autofree char *made = g_strconcat(path, NEW_SUFFIX, NULL);

    for (unsigned tries = 0;; tries++) {
        fs_autoclose int fd = open(made, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0 || lock_fd(fd, LOCK_EX) != 0)
            return -1;
        if (rename(made, path) == 0)
            return g_steal_fd(&fd);
        // somebody took it for the rest of a crash, before it was locked
        if (errno != ENOENT || tries == MAKE_TRIES)
            return -1;
    }
}

LockState *lockstate_hold(const char *state_dir, const char *repo_id, const Id *lock,
                          GError **error)
{
    g_autofree char *dir = dir_path(state_dir);
    g_autofree char *path = file_path(state_dir, repo_id, lock);
    LockState *state;
    int fd;

    if (!fs_make_dirs(dir, 0700, error))
        return NULL;
    fd = make_held(path);
    if (fd < 0) {
        bs_error_errno(error, errno, "lock %s", path);
        return NULL;
    }
    state = g_new(LockState, 1);
    state->path = g_steal_pointer(&path);
    state->fd = fd;
    return state;
}

void lockstate_abandon(LockState *state)
{
    if (!state)
        return;
    fs_clear_fd(&state->fd);
    g_free(state->path);
    g_free(state);
}

void lockstate_drop(LockState *state)
{
    if (state)
        (void)unlink(state->path); // if it stays, whoever comes next finds it without an object
    lockstate_abandon(state);
}

static bool is_dead(const char *path)
{
    fs_autoclose int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    return fd >= 0 && lock_fd(fd, LOCK_EX | LOCK_NB) == 0;
}

/* "<repository id>-<lock id>.held" */
static bool parse_name(const char *name, const char *repo_id, Id *ret_lock)
{
    size_t len = strlen(repo_id);

    return g_str_has_prefix(name, repo_id) && name[len] == '-' &&
           strlen(name) == len + 1 + ID_HEX_LEN + strlen(SUFFIX) &&
           g_str_has_suffix(name, SUFFIX) && id_parse_len(name + len + 1, ID_HEX_LEN, ret_lock);
}

GArray *lockstate_dead(const char *state_dir, const char *repo_id)
{
    GArray *dead = g_array_new(FALSE, FALSE, sizeof(Id));
    g_autofree char *path = dir_path(state_dir);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    Id lock;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        if (parse_name(name, repo_id, &lock) && is_dead(file))
            g_array_append_val(dead, lock);
        else if (g_str_has_suffix(name, SUFFIX NEW_SUFFIX) && is_dead(file))
            (void)unlink(file);
    }
    return dead;
}

void lockstate_forget(const char *state_dir, const char *repo_id, const Id *lock, int64_t age_s)
{
    g_autofree char *path = file_path(state_dir, repo_id, lock);
    struct stat st;

    if (lstat(path, &st) == 0 && clock_now().sec - st.st_mtim.tv_sec > age_s)
        (void)unlink(path);
}
