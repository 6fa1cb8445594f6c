/* SPDX-License-Identifier: Apache-2.0 */
#include "op/recoverysettings.h"

#include "base/error.h"
#include "pg/walname.h"
#include <string.h>

/* ---- the file ---- */

/* Which of the server's settings belong to one recovery. */
static bool is_of_recovery(const char *name, size_t len)
{
    static const char *const others[] = { "restore_command", "archive_cleanup_command",
                                          "recovery_min_apply_delay" };
    static const char target[] = "recovery_target";

    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        if (len == strlen(others[i]) && g_ascii_strncasecmp(name, others[i], len) == 0)
            return true;
    return len >= strlen(target) && g_ascii_strncasecmp(name, target, strlen(target)) == 0;
}

static void keep_other_lines(GString *out, const char *old, size_t len)
{
    static const char white[] = " \t\r";
    g_autofree char *copy = g_strndup(old, len);
    g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);

    for (char **line = lines; *line; line++) {
        const char *name = *line + strspn(*line, white);

        if (is_of_recovery(name, strcspn(name, " \t\r=")) || (!line[1] && !**line))
            continue;
        g_string_append_printf(out, "%s\n", *line);
    }
}

/* PostgreSQL documentation, "Parameter Interaction via the Configuration File": quotes are
 * doubled; it also reads backslashes. */
static void add_setting(GString *out, const char *name, const char *value)
{
    g_string_append_printf(out, "%s = '", name);
    for (; *value; value++) {
        if (*value == '\n')
            g_string_append(out, "\\n");
        else if (*value == '\'' || *value == '\\')
            g_string_append_printf(out, "%c%c", *value, *value);
        else
            g_string_append_c(out, *value);
    }
    g_string_append(out, "'\n");
}

/*
 * Only one target may be set, and one in postgresql.conf counts, too. The server looks at them in
 * the order of this file, and complains of an empty one behind one that is set: that comes last.
 */
static void add_target(GString *out, const WalTarget *target)
{
    static const char *const names[] = {
        [WAL_TARGET_IMMEDIATE] = "recovery_target", [WAL_TARGET_LSN] = "recovery_target_lsn",
        [WAL_TARGET_TIME] = "recovery_target_time", [WAL_TARGET_XID] = "recovery_target_xid",
        [WAL_TARGET_NAME] = "recovery_target_name",
    };
    g_autofree char *value = NULL;

    g_assert(target->kind != WAL_TARGET_NONE);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (names[i] && i != target->kind)
            add_setting(out, names[i], "");
    if (target->kind == WAL_TARGET_IMMEDIATE)
        value = g_strdup("immediate");
    else if (target->kind == WAL_TARGET_LSN)
        value = g_strdup(lsn_text(target->lsn).text);
    else if (target->kind == WAL_TARGET_TIME)
        value = wal_time_text(target->time_us);
    else if (target->kind == WAL_TARGET_XID)
        value = g_strdup_printf("%u", target->xid);
    else
        value = g_strdup(target->name);
    add_setting(out, "recovery_target_inclusive", target->exclusive ? "off" : "on");
    add_setting(out, names[target->kind], value);
}

static void add_limits(GString *out, const uint32_t *limits)
{
    static const char *const names[PG_LIMITS] = { "max_connections", "max_worker_processes",
                                                  "max_wal_senders", "max_prepared_transactions",
                                                  "max_locks_per_transaction" };

    for (size_t i = 0; i < PG_LIMITS; i++) {
        g_autofree char *text = g_strdup_printf("%u", limits[i]);

        if (limits[i])
            add_setting(out, names[i], text);
    }
}

char *recovery_settings_text(const char *old, size_t len, const RecoverySettings *settings)
{
    g_autofree char *timeline = g_strdup_printf("%u", settings->timeline);
    GString *out = g_string_new(NULL);

    if (old)
        keep_other_lines(out, old, len);
    g_string_append(out, "# by backstay restore, for one recovery; they may go when it is done\n");
    add_setting(out, "restore_command", settings->restore_command);
    add_setting(out, "archive_cleanup_command", ""); // the archive is not this copy's to clean
    add_setting(out, "recovery_min_apply_delay", "0");
    add_setting(out, "recovery_target_timeline", timeline);
    add_setting(out, "recovery_target_action", recovery_action_text(settings->action));
    add_limits(out, settings->limits);
    if (settings->no_prefetch)
        add_setting(out, "recovery_prefetch", "off");
    add_target(out, settings->target);
    return g_string_free(out, FALSE);
}

/* ---- the command ---- */

char *recovery_shell_word(const char *word)
{
    static const char plain[] = G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_./:=@+%";

    return *word && strspn(word, plain) == strlen(word) ? g_strdup(word) : g_shell_quote(word);
}

/* The server replaces what follows a percent sign. */
static void add_word(GString *out, const char *word)
{
    g_autofree char *quoted = recovery_shell_word(word);

    for (const char *at = quoted; *at; at++)
        g_string_append(out, *at == '%' ? "%%" : (char[]){ *at, '\0' });
    g_string_append_c(out, ' ');
}

static void add_option(GString *out, const char *option, const char *value)
{
    if (!value)
        return;
    add_word(out, option);
    add_word(out, value);
}

/* The server starts it in another directory. The path, to be freed. */
static char *add_file_option(GString *out, const char *option, const char *path)
{
    char *absolute = path ? g_canonicalize_filename(path, NULL) : NULL;

    add_option(out, option, absolute);
    return absolute;
}

/* As op/openstore.c reads it. */
static char *absolute_location(const char *location)
{
    if (g_str_has_prefix(location, "s3:"))
        return g_strdup(location);
    if (g_str_has_prefix(location, "local:"))
        location += strlen("local:");
    return g_canonicalize_filename(location, NULL);
}

/* How the repository is opened: what the options say, else what the environment does. */
static bool add_opening(GString *out, const Settings *settings, RecoveryCommand *command,
                        GError **error)
{
    PasswordFrom from = { settings->password_file,
                          settings->password_command,
                          settings->key_file,
                          settings->insecure_no_password,
                          "",
                          NULL,
                          false };
    const char *reference = settings->password_reference;
    bool by_option = from.file || from.command || from.none;
    const char *key = NULL;
    const char *file = by_option ? from.file : settings_env("PASSWORD_FILE");
    const char *asked = by_option ? from.command : settings_env("PASSWORD_COMMAND");

    if (!password_key_file(&from, &key, error))
        return false;
    if (reference && g_str_has_prefix(reference, "file://"))
        file = reference + strlen("file://");
    else if (reference && g_str_has_prefix(reference, "command://"))
        asked = reference + strlen("command://");
    if (key)
        command->file = add_file_option(out, "--key-file", key);
    else if (from.none)
        add_word(out, "--insecure-no-password");
    else if (file)
        command->file = add_file_option(out, "--password-file", file);
    else if (asked)
        add_option(out, "--password-command", asked);
    else
        command->hint = g_strdup(
            "the password is not in a file, so restore_command does not say where it comes from: "
            "give the server BACKSTAY_KEY_FILE or BACKSTAY_PASSWORD_FILE in its environment, or "
            "restore with --key-file (backstay key export FILE)");
    return true;
}

void recovery_command_clear(RecoveryCommand *command)
{
    g_clear_pointer(&command->text, g_free);
    g_clear_pointer(&command->file, g_free);
    g_clear_pointer(&command->hint, g_free);
}

bool recovery_command(const Settings *settings, const char *program, RecoveryCommand *ret_command,
                      GError **error)
{
    g_autofree char *location = NULL, *repository = NULL, *ca = NULL, *client = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(RecoveryCommand) command = { 0 };

    if (!settings_repository(settings, &location, error))
        return false;
    repository = absolute_location(location);
    add_word(out, program);
    add_option(out, "-r", repository);
    if (!add_opening(out, settings, &command, error))
        return false;
    ca = add_file_option(out, "--cacert", settings->cacert);
    client = add_file_option(out, "--tls-client-cert", settings->tls_client_cert);
    for (char **option = settings->options; option && *option; option++)
        add_option(out, "-o", *option);
    g_string_append(out, "wal get %f %p");
    command.text = g_strdup(out->str);
    *ret_command = command;
    command = (RecoveryCommand){ 0 };
    return true;
}
