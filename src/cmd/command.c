/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/command.h"

#include "base/error.h"
#include "base/log.h"
#include "cmd/help.h"
#include "cmd/namedsource.h"
#include "cmd/output.h"
#include "config/named.h"
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(Settings, member))

const GOptionEntry global_options[] = {
    { "repo", 'r', 0, ARG_TEXT, AT(repo),
      "repository: a path, s3:https://host/bucket/prefix or a name of the configuration (or "
      "$BACKSTAY_REPOSITORY, "
      "$RESTIC_REPOSITORY)",
      "REPO" },
    { "config", 0, 0, ARG_TEXT, AT(config),
      "configuration file (or $BACKSTAY_CONFIG; default /etc/backstay/backstay.yaml, or "
      "~/.config/backstay/backstay.yaml)",
      "FILE" },
    { "repository-file", 0, 0, ARG_TEXT, AT(repository_file),
      "file that holds the repository's location", "FILE" },
    { "password-file", 'p', 0, ARG_TEXT, AT(password_file), "file that holds the password",
      "FILE" },
    { "password-command", 0, 0, ARG_TEXT, AT(password_command), "command that prints the password",
      "COMMAND" },
    { "insecure-no-password", 0, 0, ARG_FLAG, AT(insecure_no_password), "use an empty password",
      NULL },
    { "key-file", 0, 0, ARG_TEXT, AT(key_file),
      "file that holds the master key (key export), instead of a password", "FILE" },
    { "key-hint", 0, 0, ARG_TEXT, AT(key_hint), "id of the key to try first", "ID" },
    { "cache-dir", 0, 0, ARG_TEXT, AT(cache_dir), "directory of the caches", "DIR" },
    { "cache-size", 0, 0, ARG_TEXT, AT(cache_size),
      "bytes of each far repository kept in it, such as 2G (default 10G)", "SIZE" },
    { "no-cache", 0, 0, ARG_FLAG, AT(no_cache), "work without a local cache", NULL },
    { "no-lock", 0, 0, ARG_FLAG, AT(no_lock),
      "do not lock the repository (commands that only read)", NULL },
    { "retry-lock", 0, 0, ARG_TEXT, AT(retry_lock),
      "how long to wait for a lock, such as 5m (default: do not wait)", "TIME" },
    { "compression", 0, 0, ARG_TEXT, AT(compression), "off, auto, max or a zstd level from 1 to 19",
      "MODE" },
    { "pack-size", 0, 0, ARG_TEXT, AT(pack_size),
      "target size of packs in MiB, 4 to 128 (default 16)", "MIB" },
    { "cacert", 0, 0, ARG_TEXT, AT(cacert),
      "file of certificates (PEM) to trust instead of the system's", "FILE" },
    { "tls-client-cert", 0, 0, ARG_TEXT, AT(tls_client_cert),
      "file with a certificate and its key (PEM) to show to the server", "FILE" },
    { "limit-upload", 0, 0, ARG_TEXT, AT(limit_upload),
      "KiB a second that are sent at most (default: any)", "KIB" },
    { "limit-download", 0, 0, ARG_TEXT, AT(limit_download),
      "KiB a second that are fetched at most (default: any)", "KIB" },
    { "retry-deadline", 0, 0, ARG_TEXT, AT(retry_deadline),
      "how long a store that does not answer is tried again (default 15m)", "TIME" },
    { "stuck-request-timeout", 0, 0, ARG_TEXT, AT(stuck_request_timeout),
      "how long a request may be silent before it is made again (default 1m)", "TIME" },
    { "no-extra-verify", 0, 0, ARG_FLAG, AT(no_extra_verify),
      "do not open each sealed blob again before it counts", NULL },
    { "json", 0, 0, ARG_FLAG, AT(json), "machine output on stdout, as restic's", NULL },
    { "quiet", 'q', 0, ARG_FLAG, AT(quiet), "only errors and results", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

static gboolean count_verbose(const char *name, const char *value, gpointer settings,
                              GError **error)
{
    (void)name;
    (void)value;
    (void)error;
    ((Settings *)settings)->verbose++;
    return TRUE;
}

static gboolean set_verbose(const char *name, const char *value, gpointer settings, GError **error)
{
    gint64 level;

    if (!g_ascii_string_to_signed(value, 10, 0, 4, &level, NULL)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "%s=%s: must be a number from 0 to 4", name, value);
        return FALSE;
    }
    ((Settings *)settings)->verbose = (gint)level;
    return TRUE;
}

static gboolean add_option(const char *name, const char *value, gpointer settings, GError **error)
{
    (void)name;
    (void)error;
    settings_add_option(settings, value);
    return TRUE;
}

const GOptionEntry gathered_options[] = {
    { "option", 'o', G_OPTION_FLAG_FILENAME, G_OPTION_ARG_CALLBACK, (gpointer)(guintptr)add_option,
      "set an option of the store, such as s3.region; may be repeated", "KEY=VALUE" },
    { "verbose", 'v', G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK,
      (gpointer)(guintptr)count_verbose, "say more; twice: every file", NULL },
    // --verbose=2. No optional argument, which would swallow an operand that follows
    { "verbose", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_CALLBACK, (gpointer)(guintptr)set_verbose,
      "say as much", "N" },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

const Command *command_find(const char *name)
{
    for (const Command *const *command = commands; *command; command++)
        if (strcmp((*command)->name, name) == 0)
            return *command;
    return NULL;
}

bool operands_between(char **operands, guint min, guint max, const char *what, GError **error)
{
    guint n = g_strv_length(operands);

    if (n < min)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "operand missing: %s", what);
    else if (max > 0 && n > max)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "too many operands: %s", operands[max]);
    return n >= min && (max == 0 || n <= max);
}

/* ---- parsing ---- */

/* The rows with their offsets turned into places in this request. */
static GOptionEntry *entries_at(const GOptionEntry *options, void *request)
{
    GArray *entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));

    for (const GOptionEntry *option = options; option && option->long_name; option++) {
        GOptionEntry entry = *option;

        if (entry.arg != G_OPTION_ARG_CALLBACK)
            entry.arg_data = (char *)request + GPOINTER_TO_SIZE(entry.arg_data);
        g_array_append_val(entries, entry);
    }
    return (GOptionEntry *)(void *)g_array_free(entries, FALSE);
}

static GOptionContext *parser_new(const Command *command, void *request, Settings *settings)
{
    GOptionContext *parser = g_option_context_new(NULL);
    GOptionGroup *group = g_option_group_new("global", "", "", settings, NULL);
    g_autofree GOptionEntry *global = entries_at(global_options, settings);

    g_option_context_set_help_enabled(parser, FALSE);
    g_option_group_add_entries(group, global);
    g_option_group_add_entries(group, gathered_options);
    g_option_context_set_main_group(parser, group);
    if (command && command->options) {
        g_autofree GOptionEntry *own = entries_at(command->options, request);

        g_option_context_add_main_entries(parser, own, NULL);
    }
    return parser;
}

static bool parse(GOptionContext *parser, char ***argv, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (g_option_context_parse_strv(parser, argv, &problem))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s", problem->message);
    return false;
}

static bool wants_help(char **argv)
{
    for (; *argv && strcmp(*argv, "--") != 0; argv++)
        if (strcmp(*argv, "--help") == 0 || strcmp(*argv, "-h") == 0)
            return true;
    return false;
}

/* Removes argv[i]; the list stays NULL-terminated. */
static void drop_argument(char **argv, guint i)
{
    g_free(argv[i]);
    for (; argv[i]; i++)
        argv[i] = argv[i + 1];
}

/* What is left after the program's name; GOption leaves a "--" in place. */
static char **operands_of(char **argv)
{
    for (guint i = 1; argv[i]; i++)
        if (strcmp(argv[i], "--") == 0) {
            drop_argument(argv, i);
            break;
        }
    return argv + 1;
}

/* ---- running ---- */

void command_free_request(const Command *command, void *request)
{
    if (!request)
        return;
    for (const GOptionEntry *option = command->options; option && option->long_name; option++) {
        void *place = (char *)request + GPOINTER_TO_SIZE(option->arg_data);

        if (option->arg == ARG_TEXT)
            g_free(*(char **)place);
        else if (option->arg == ARG_LIST)
            g_strfreev(*(char ***)place);
    }
    g_free(request);
}

static bool run_command(const Command *command, char ***argv, Settings *settings,
                        const Cancel *cancel, GError **error)
{
    void *request = g_malloc0(MAX(command->request_size, 1));
    g_autoptr(GOptionContext) parser = parser_new(command, request, settings);
    Context context = { .settings = settings, .cancel = cancel };
    bool ok;

    if (command->init)
        command->init(request);
    ok = (!command->names_sources || named_source_expand(command, argv, settings, error)) &&
         parse(parser, argv, error);
    if (!ok)
        g_prefix_error(error, "%s: ", command->name);
    ok = ok && settings_take_named(settings, error) && settings_complete(settings, error);
    if (settings->verbose >= 3)
        log_set_level(LOG_DEBUG);
    ok = ok && command->run(&context, request, operands_of(*argv), error);
    command_free_request(command, request);
    return ok;
}

bool command_parse_request(const Command *command, char *const *options, void **ret_request,
                           GError **error)
{
    void *request = g_malloc0(MAX(command->request_size, 1));
    g_autoptr(GOptionContext) parser = g_option_context_new(NULL);
    g_autofree GOptionEntry *own = entries_at(command->options, request);
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    char **argv;
    bool ok;

    if (command->init)
        command->init(request);
    g_option_context_set_help_enabled(parser, FALSE);
    g_option_context_add_main_entries(parser, own, NULL);
    g_ptr_array_add(words, g_strdup(command->name));
    for (; *options; options++)
        g_ptr_array_add(words, g_strdup(*options));
    g_ptr_array_add(words, NULL);
    argv = (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
    ok = parse(parser, &argv, error);
    if (ok && argv[1]) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: not an option", argv[1]);
        ok = false;
    }
    g_strfreev(argv);
    if (ok)
        *ret_request = request;
    else
        command_free_request(command, request);
    return ok;
}

static bool run_help(char **topics, GError **error)
{
    const Command *command = topics[0] ? command_find(topics[0]) : NULL;

    if (command) {
        help_command(stdout, command);
        return true;
    }
    if (topics[0]) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "no help for \"%s\"; `backstay help` lists the commands", topics[0]);
        return false;
    }
    help_overview(stdout);
    return true;
}

static bool run(char ***argv, Settings *settings, const Cancel *cancel, GError **error)
{
    g_autoptr(GOptionContext) parser = parser_new(NULL, NULL, settings);
    const Command *command;
    char **rest;

    if ((*argv)[1] && (strcmp((*argv)[1], "--help") == 0 || strcmp((*argv)[1], "-h") == 0))
        return run_help(*argv + 2, error);
    if ((*argv)[1] && strcmp((*argv)[1], "--version") == 0) {
        printf("backstay %s\n", BS_VERSION);
        return true;
    }
    // what stands before the command; then the command with its own and the same options
    g_option_context_set_strict_posix(parser, TRUE);
    if (!parse(parser, argv, error))
        return false;
    rest = *argv + 1;
    if (!*rest) {
        help_overview(stderr);
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "no command given");
        return false;
    }
    if (strcmp(*rest, "help") == 0)
        return run_help(rest + 1, error);
    command = command_find(*rest);
    if (!command) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "unknown command \"%s\"; `backstay help` lists them", *rest);
        return false;
    }
    if (wants_help(rest)) {
        help_command(stdout, command);
        return true;
    }
    drop_argument(*argv, 0); // now the command's name stands where the program's stood
    return run_command(command, argv, settings, cancel, error);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    // a walk holds one descriptor a level; what the system allows is enough for every real tree
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); // else a very deep tree fails by name
    }
}

static bool has_word(char *const *argv, const char *word)
{
    for (; *argv; argv++)
        if (strcmp(*argv, word) == 0)
            return true;
    return false;
}

/* Wrong options fail before it is known which command they are for: so its name anywhere counts. */
static int own_exit_status(char *const *argv, const GError *error, int status)
{
    for (const Command *const *command = commands; *command; command++)
        if ((*command)->exit_status && has_word(argv, (*command)->name))
            return (*command)->exit_status(argv, error, status);
    return status;
}

/* Sets the status of a failure, so that it is also told with --json. */
static void settle_exit_status(char *const *argv, GError **error)
{
    if ((*error)->domain != BS_ERROR) {
        GError *ours = g_error_new_literal(BS_ERROR, BS_ERROR_FAILED, (*error)->message);

        g_error_free(*error);
        *error = ours;
    }
    bs_error_set_exit_status(*error, own_exit_status(argv, *error, bs_error_exit_status(*error)));
}

int command_main(int argc, char **argv)
{
    g_autoptr(Cancel) cancel = cancel_new();
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) args = g_strdupv(argv);
    Settings settings = { 0 };
    int status;

    (void)argc;
    setlocale(LC_ALL, "");
    (void)umask(077);
    raise_descriptor_limit();
    cancel_on_signals(cancel);
    if (!run(&args, &settings, cancel, &error)) {
        settle_exit_status(argv, &error);
        output_error(&settings, error);
    }
    status = bs_error_exit_status(error);
    if (!output_close(error == NULL) && status == 0)
        status = own_exit_status(argv, NULL, 1);
    settings_clear(&settings);
    return status;
}
