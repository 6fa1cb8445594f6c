/* SPDX-License-Identifier: Apache-2.0 */
#include "op/wallisten.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "pg/walsocket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>

#define BACKLOG    64
#define GROUPS_MAX 65536u /* NGROUPS_MAX of Linux */

/* ---- where ---- */

static char *below(const char *dir, const char *name)
{
    return g_build_filename(dir, name, WALSOCKET_NAME, NULL);
}

static const char *set_in_environment(const char *value)
{
    return value && *value ? value : NULL;
}

static const char *named_socket(const char *given)
{
    return given ? given : set_in_environment(g_getenv("BACKSTAY_WAL_SOCKET"));
}

char *wal_socket_path(const char *given)
{
    const char *named = named_socket(given);
    const char *service = set_in_environment(g_getenv("RUNTIME_DIRECTORY"));
    const char *user = set_in_environment(g_getenv("XDG_RUNTIME_DIR"));

    if (named)
        return g_strdup(named);
    if (service) {
        // several are separated by colons: systemd.exec(5), "RuntimeDirectory="
        g_autofree char *first = g_strndup(service, strcspn(service, ":"));

        return g_build_filename(first, WALSOCKET_NAME, NULL);
    }
    return user && geteuid() != 0 ? below(user, "backstay") : g_strdup(WALSOCKET_SYSTEM);
}

char **wal_socket_candidates(const char *given, bool *ret_named)
{
    const char *named = named_socket(given);
    const char *user = set_in_environment(g_getenv("XDG_RUNTIME_DIR"));
    char **paths = g_new0(char *, 3);
    guint n = 0;

    *ret_named = named != NULL;
    if (named) {
        paths[n++] = g_strdup(named);
    } else {
        if (user && geteuid() != 0)
            paths[n++] = below(user, "backstay");
        paths[n++] = g_strdup(WALSOCKET_SYSTEM);
    }
    return paths;
}

bool wal_repository(const Settings *settings, char **ret_location, GError **error)
{
    g_autofree char *location = NULL;
    const char *path;

    if (!settings_repository(settings, &location, error))
        return false;
    path = g_str_has_prefix(location, "local:") ? location + strlen("local:") : location;
    if (!g_str_has_prefix(location, "s3:")) {
        *ret_location = g_canonicalize_filename(path, NULL);
        return true;
    }
    for (size_t len = strlen(location); len > 1 && location[len - 1] == '/';)
        location[--len] = '\0';
    *ret_location = g_steal_pointer(&location);
    return true;
}

/* ---- one server at a time ---- */

/* The lock lies beside the socket and stays: whoever removed it could have company. */
static bool take_lock(WalListener *listener, GError **error)
{
    g_autofree char *path = g_strconcat(listener->path, ".lock", NULL);

    listener->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (listener->lock < 0) {
        bs_error_errno(error, errno, "open %s", path);
        return false;
    }
    if (flock(listener->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED,
                    "%s: another server runs there; stop it, or give --socket PATH",
                    listener->path);
    else
        bs_error_errno(error, errno, "lock %s", path);
    return false;
}

/* Under the lock whatever has the name is of a server that is gone. */
static bool remove_old(const char *path, GError **error)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return true;
    if (!S_ISSOCK(st.st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_EXISTS, "%s: is there and no socket", path);
        return false;
    }
    if (unlink(path) == 0)
        return true;
    bs_error_errno(error, errno, "remove %s", path);
    return false;
}

static bool make_dir(const WalListener *listener, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(listener->path);

    if (g_file_test(dir, G_FILE_TEST_IS_DIR))
        return true;
    if (!fs_make_dirs(dir, listener->group < 0 ? 0700 : 0750, error))
        return false;
    if (listener->group < 0 ||
        (chmod(dir, 0750) == 0 && chown(dir, (uid_t)-1, (gid_t)listener->group) == 0))
        return true;
    bs_error_errno(error, errno, "give %s to the group", dir);
    return false;
}

/* ---- who may speak ---- */

static bool find_group(const char *name, int64_t *ret_group, GError **error)
{
    const struct group *entry;
    guint64 number;

    *ret_group = -1;
    if (!name)
        return true;
    entry = getgrnam(name);
    if (entry)
        *ret_group = entry->gr_gid;
    else if (g_ascii_string_to_unsigned(name, 10, 0, UINT32_MAX - 1, &number, NULL))
        *ret_group = (int64_t)number;
    if (*ret_group >= 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--group %s: there is no such group", name);
    return false;
}

static bool is_member(int fd, const struct ucred *peer, gid_t group)
{
    socklen_t len = GROUPS_MAX * sizeof(gid_t);
    g_autofree gid_t *groups = g_malloc(len);

    if (peer->gid == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
        return false;
    for (size_t i = 0; i < len / sizeof(gid_t); i++)
        if (groups[i] == group)
            return true;
    return false;
}

/* The rights of the socket say the same; this holds where somebody has changed them. */
static bool may_speak(const WalListener *listener, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return false;
    return peer.uid == geteuid() || peer.uid == 0 ||
           (listener->group >= 0 && is_member(fd, &peer, (gid_t)listener->group));
}

int wal_accept(const WalListener *listener)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0 || may_speak(listener, fd))
        return fd;
    log_warn("somebody who may not is turned away from the WAL socket", "socket", listener->path,
             NULL);
    (void)close(fd);
    errno = EACCES;
    return -1;
}

/* ---- listening ---- */

static bool give_to_group(const WalListener *listener)
{
    // the umask leaves it to its owner
    if (listener->group < 0)
        return chmod(listener->path, 0600) == 0;
    return chown(listener->path, (uid_t)-1, (gid_t)listener->group) == 0 &&
           chmod(listener->path, 0660) == 0;
}

static bool open_socket(WalListener *listener, GError **error)
{
    struct sockaddr_un address;

    if (!walsocket_address(listener->path, &address)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s: the path of a socket has 1 to 107 bytes; give another with --socket",
                    listener->path);
        return false;
    }
    listener->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd >= 0 &&
        bind(listener->fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        give_to_group(listener) && listen(listener->fd, BACKLOG) == 0)
        return true;
    bs_error_errno(error, errno, "listen on %s", listener->path);
    return false;
}

bool wal_listen(const char *path, const char *group, WalListener *ret_listener, GError **error)
{
    g_auto(WalListener) listener = { .fd = -1, .lock = -1, .path = g_strdup(path) };

    if (!find_group(group, &listener.group, error) || !make_dir(&listener, error) ||
        !take_lock(&listener, error) || !remove_old(path, error) || !open_socket(&listener, error))
        return false;
    *ret_listener = listener;
    listener = (WalListener){ .fd = -1, .lock = -1 };
    return true;
}

void wal_listener_close(WalListener *listener)
{
    if (listener->fd >= 0)
        (void)unlink(listener->path); // the next one would remove it as well
    fs_clear_fd(&listener->fd);
}

void wal_listener_done(WalListener *listener)
{
    wal_listener_close(listener);
    fs_clear_fd(&listener->lock);
    g_clear_pointer(&listener->path, g_free);
}
