/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/completion.h"
#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/help.h"
#include "config/source.h"
#include <string.h>

/* ---- what may stand where ---- */

/* Those that the configuration names, too, are listed there. */
static const char *words_of_sources(const char *option)
{
    const Field *field = table_find(&source_options_table, option);
    g_autofree char *words = field && field->words ? g_strjoinv(" ", (char **)field->words) : NULL;

    return words ? g_intern_string(words) : NULL;
}

CompletionValue completion_option_value(const GOptionEntry *option)
{
    static const struct {
        const char *option, *words;
    } enumerations[] = {
        { "archive", "tar zip" },
        { "as", "dump sql rdb sqlite app tar" },
        { "compression", "off auto max" },
        { "format", "app dump sql sql.gz sql.zst tar tar.gz tar.zst" },
        { "group-by", "host paths tags host,paths host,tags" },
        { "mode", "restore-size files-by-contents blobs-per-file raw-data" },
        { "overwrite", "always if-changed if-newer never" },
        { "target-action", "pause promote shutdown" },
        { "target-timeline", "latest current" },
        { "repository-version", "2 latest stable" },
        { "server", "auto require never" },
        { "sort", "name size mtime time atime ctime extension" },
    };
    static const struct {
        const char *placeholder;
        CompletionKind kind;
    } kinds[] = {
        { "FILE", COMPLETE_FILE },
        { "PATH", COMPLETE_FILE },
        { "DIR", COMPLETE_DIR },
        { "REPO", COMPLETE_DIR },
    };
    const char *words = words_of_sources(option->long_name);

    for (size_t i = 0; i < G_N_ELEMENTS(enumerations); i++)
        if (strcmp(option->long_name, enumerations[i].option) == 0)
            return (CompletionValue){ COMPLETE_WORDS, enumerations[i].words };
    if (words)
        return (CompletionValue){ COMPLETE_WORDS, words };
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_strcmp0(option->arg_description, kinds[i].placeholder) == 0)
            return (CompletionValue){ kinds[i].kind, NULL };
    return (CompletionValue){ COMPLETE_TEXT, NULL };
}

bool completion_takes_value(const GOptionEntry *option)
{
    return option->arg_description != NULL;
}

/* "list|add|remove ID": the words an operand begins with. NULL when it is none of a few words. */
char *completion_first_words(const char *operands)
{
    g_auto(GStrv) parts = g_strsplit(operands, "|", -1);
    g_autoptr(GString) words = g_string_new(NULL);

    if (!parts[0] || !parts[1])
        return NULL;
    for (char **part = parts; *part; part++)
        g_string_append_printf(words, "%s%.*s", words->len ? " " : "",
                               (int)strcspn(g_strchug(*part), " "), *part);
    return g_string_free(g_steal_pointer(&words), FALSE);
}

bool completion_wants_files(const Command *command)
{
    return g_str_has_prefix(command->operands, "SOURCE");
}

bool completion_wants_snapshot(const Command *command)
{
    return strstr(command->operands, "SNAPSHOT") != NULL;
}

void completion_each_option(const char *command, const GOptionEntry *options, CompletionPrint print)
{
    for (; options && options->long_name; options++)
        if (!(options->flags & G_OPTION_FLAG_HIDDEN))
            print(command, options);
}

void completion_each_global_option(CompletionPrint print)
{
    completion_each_option(NULL, global_options, print);
    completion_each_option(NULL, gathered_options, print);
    completion_each_option(NULL, help_option, print);
}

/* ---- running ---- */

static bool completion_run(const Context *context, void *request, char **operands, GError **error)
{
    static const struct {
        const char *name;
        void (*print)(const GPtrArray *rows);
    } shells[] = { { "bash", completion_bash },
                   { "zsh", completion_zsh },
                   { "fish", completion_fish } };
    g_autoptr(GPtrArray) rows = g_ptr_array_new();
    g_autoptr(GString) names = g_string_new(NULL);
    Command help = { .name = "help", .summary = "tell more about one command" };

    (void)context;
    (void)request;
    if (!operands_between(operands, 1, 1, "SHELL (bash, zsh or fish)", error))
        return false;
    for (const Command *const *command = commands; *command; command++)
        if (!(*command)->hidden) {
            g_ptr_array_add(rows, (void *)*command);
            g_string_append_printf(names, "%s%s", names->len ? "|" : "", (*command)->name);
        }
    help.operands = names->str;
    g_ptr_array_add(rows, &help);
    for (size_t i = 0; i < G_N_ELEMENTS(shells); i++)
        if (strcmp(operands[0], shells[i].name) == 0) {
            shells[i].print(rows);
            return true;
        }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "no completion for \"%s\"; say bash, zsh or fish",
                operands[0]);
    return false;
}

const Command completion_command = {
    .name = "completion",
    .operands = "bash|zsh|fish",
    .summary = "print the completion for a shell",
    .description = "For one session of bash: source <(backstay completion bash). Packages install "
                   "the three files for everybody.",
    .run = completion_run,
};
