/* SPDX-License-Identifier: Apache-2.0 */
#include "config/secrets.h"

#include "base/error.h"
#include "base/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#define SECRET_MAX (64u * 1024)

/* restic: white space at both ends and a byte-order mark go, when the password comes from a file or
 * a command. */
static Secret *trimmed(const char *data, size_t len)
{
    if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        data += 3;
        len -= 3;
    }
    while (len > 0 && g_ascii_isspace(data[0])) {
        data++;
        len--;
    }
    while (len > 0 && g_ascii_isspace(data[len - 1]))
        len--;
    return secret_new(data, len);
}

static int open_secret(const char *what, const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        bs_error_errno(error, errno, "%s file %s", what, path);
    return fd;
}

static bool read_secret(int fd, const char *what, const char *path, Secret **ret_secret,
                        GError **error)
{
    char room[SECRET_MAX + 1];
    size_t len;
    bool ok = fs_read_full(fd, room, sizeof room, &len, path, error);

    if (ok && len > SECRET_MAX) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s file %s: more than %u KiB; see whether it is the right file", what, path,
                    SECRET_MAX / 1024);
        ok = false;
    }
    if (ok)
        *ret_secret = trimmed(room, len);
    secret_wipe(room, sizeof room);
    return ok;
}

bool secret_from_file(const char *what, const char *path, Secret **ret_secret, GError **error)
{
    fs_autoclose int fd = open_secret(what, path, error);

    return fd >= 0 && read_secret(fd, what, path, ret_secret, error);
}

/* The group of root's files is there to share them with a service: libpq, "SSL Client
 * Certificates". */
static bool is_private(int fd, const char *what, const char *path, GError **error)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        bs_error_errno(error, errno, "%s file %s", what, path);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_DENIED, "%s file %s: not a regular file", what, path);
        return false;
    }
    if ((st.st_mode & (st.st_uid == 0 ? 0037 : 0077)) == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                "%s file %s: others may use it (mode %04o); chmod 0600 it", what, path,
                (unsigned)st.st_mode & 07777);
    return false;
}

bool secret_from_private_file(const char *what, const char *path, Secret **ret_secret,
                              GError **error)
{
    fs_autoclose int fd = open_secret(what, path, error);

    return fd >= 0 && is_private(fd, what, path, error) &&
           read_secret(fd, what, path, ret_secret, error);
}

bool secret_from_command(const char *what, const char *command, Secret **ret_secret, GError **error)
{
    g_auto(GStrv) argv = NULL;
    g_autofree char *output = NULL;
    int status;

    if (!g_shell_parse_argv(command, NULL, &argv, error))
        return false;
    if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_CHILD_INHERITS_STDIN, NULL,
                      NULL, &output, NULL, &status, error)) {
        g_prefix_error(error, "%s command: ", what);
        return false;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s command %s failed (status %d)", what,
                    argv[0], WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        return false;
    }
    *ret_secret = trimmed(output, strlen(output));
    secret_wipe(output, strlen(output));
    return true;
}

/* ---- environment ---- */

static const char *env(const char *name, const char *suffix)
{
    g_autofree char *variable = g_strconcat(name, suffix, NULL);
    const char *value = g_getenv(variable);

    return value && *value ? value : NULL;
}

static bool is_word(const Secret *secret)
{
    const char *text = secret_data(secret);

    for (size_t i = 0; i < secret_len(secret); i++)
        if (!g_ascii_isgraph(text[i]))
            return false;
    return secret_len(secret) > 0;
}

bool secret_from_environment(const char *name, Secret **ret_secret, GError **error)
{
    const char *plain = env(name, ""), *file = env(name, "_FILE"), *command = env(name, "_COMMAND");
    g_autoptr(Secret) secret = NULL;

    *ret_secret = NULL;
    if (!!plain + !!file + !!command > 1) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s is given in more than one way (%s%s%s); leave one", name,
                    plain ? "itself" : "_FILE", plain && file ? ", _FILE" : "",
                    command ? ", _COMMAND" : "");
        return false;
    }
    if (file && !secret_from_file(name, file, &secret, error))
        return false;
    if (command && !secret_from_command(name, command, &secret, error))
        return false;
    if (plain)
        secret = secret_new(plain, strlen(plain));
    if (secret && !is_word(secret)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s is %s; keys are one word of printable characters", name,
                    secret_len(secret) > 0 ? "no word" : "empty");
        return false;
    }
    *ret_secret = g_steal_pointer(&secret);
    return true;
}
