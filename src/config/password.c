/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "config/reference.h"
#include "config/secrets.h"
#include "config/settings.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

static bool ask_once(FILE *terminal, const char *prompt, Secret **ret_password, GError **error)
{
    char room[4096];
    struct termios saved, silent;
    bool got;

    if (tcgetattr(fileno(terminal), &saved) != 0) {
        bs_error_errno(error, errno, "terminal");
        return false;
    }
    silent = saved;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    // at worst it echoes; before it asks, for what was typed until then is thrown away
    (void)tcsetattr(fileno(terminal), TCSAFLUSH, &silent);
    (void)fprintf(terminal, "%s: ", prompt);
    (void)fflush(terminal);
    got = fgets(room, sizeof room, terminal) != NULL;
    (void)tcsetattr(fileno(terminal), TCSAFLUSH, &saved);
    (void)fprintf(terminal, "\n");
    if (!got) {
        g_set_error(error, BS_ERROR, BS_ERROR_CANCELLED, "no password entered");
        return false;
    }
    room[strcspn(room, "\n")] = '\0';
    *ret_password = secret_new(room, strlen(room));
    secret_wipe(room, sizeof room);
    return true;
}

static bool ask(const PasswordFrom *from, Secret **ret_password, GError **error)
{
    FILE *terminal = fopen("/dev/tty", "r+e");
    g_autoptr(Secret) first = NULL, second = NULL;
    bool ok;

    if (!terminal) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "no password given and no terminal to ask on; set BACKSTAY_%sPASSWORD_FILE, "
                    "BACKSTAY_%sPASSWORD_COMMAND or BACKSTAY_%sPASSWORD",
                    from->infix, from->infix, from->infix);
        return false;
    }
    ok = ask_once(terminal, from->prompt, &first, error) &&
         (!from->confirm || ask_once(terminal, "once more", &second, error));
    (void)fclose(terminal); // nothing of ours is buffered
    if (ok && from->confirm &&
        (secret_len(first) != secret_len(second) ||
         memcmp(secret_data(first), secret_data(second), secret_len(first)) != 0)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "the two passwords differ");
        return false;
    }
    if (ok)
        *ret_password = g_steal_pointer(&first);
    return ok;
}

static const char *env_of(const PasswordFrom *from, const char *suffix)
{
    g_autofree char *key = g_strconcat(from->infix, "PASSWORD", suffix, NULL);

    return settings_env(key);
}

static bool from_anywhere(const PasswordFrom *from, Secret **ret_password, GError **error)
{
    const char *file = from->file, *command = from->command, *plain = NULL;

    if (!file && !command) {
        file = env_of(from, "_FILE");
        command = env_of(from, "_COMMAND");
        plain = env_of(from, "");
    }
    if (!!file + !!command + !!plain > 1) {
        g_set_error(
            error, BS_ERROR, BS_ERROR_USAGE,
            "the password is given in more than one way (file, command, environment); leave one");
        return false;
    }
    if (file)
        return secret_from_file("password", file, ret_password, error);
    if (command)
        return secret_from_command("password", command, ret_password, error);
    if (plain) {
        *ret_password = secret_new(plain, strlen(plain));
        return true;
    }
    if (from->reference)
        return reference_resolve("password", from->reference, ret_password, error);
    return ask(from, ret_password, error);
}

bool password_key_file(const PasswordFrom *from, const char **ret_path, GError **error)
{
    g_autofree char *key = g_strconcat(from->infix, "KEY_FILE", NULL);
    bool by_option = from->known || from->file || from->command || from->none;
    const char *path = from->key_file;

    if (!path && !by_option) {
        path = settings_env(key);
        by_option = env_of(from, "") || env_of(from, "_FILE") || env_of(from, "_COMMAND");
    }
    if (path && by_option) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "there are a key file and a password to open the repository with; leave one "
                    "out");
        return false;
    }
    *ret_path = path;
    return true;
}

bool password_get(const PasswordFrom *from, Secret **ret_password, GError **error)
{
    g_autoptr(Secret) password = NULL;

    if (from->known) {
        *ret_password = secret_new(secret_data(from->known), secret_len(from->known));
        return true;
    }
    if (from->none) {
        *ret_password = secret_new("", 0);
        return true;
    }
    if (!from_anywhere(from, &password, error))
        return false;
    if (secret_len(password) == 0) {
        g_set_error(
            error, BS_ERROR, BS_ERROR_USAGE,
            "an empty password is not allowed; use --insecure-no-password if that is meant");
        return false;
    }
    *ret_password = g_steal_pointer(&password);
    return true;
}
