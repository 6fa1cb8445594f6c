/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shell completion, printed from the command table. Each shell gets three things: which words are
 * commands, which options a command takes, and what may stand after an option or as an operand.
 */
#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/help.h"
#include <stdio.h>
#include <string.h>

/* ---- what may stand where ---- */

typedef enum { VALUE_TEXT, VALUE_FILE, VALUE_DIR, VALUE_WORDS } ValueKind;

typedef struct {
    ValueKind kind;
    const char *words; /* with VALUE_WORDS, separated by blanks */
} Value;

static Value option_value(const GOptionEntry *option)
{
    static const struct {
        const char *option, *words;
    } enumerations[] = {
        { "archive", "tar zip" },
        { "compression", "off auto max" },
        { "format", "dump sql sql.gz sql.zst tar tar.gz tar.zst" },
        { "group-by", "host paths tags host,paths host,tags" },
        { "mode", "restore-size files-by-contents blobs-per-file raw-data" },
        { "overwrite", "always if-changed if-newer never" },
        { "target-action", "pause promote shutdown" },
        { "target-timeline", "latest current" },
        { "repository-version", "2 latest stable" },
        { "server", "auto require never" },
        { "sort", "name size mtime atime ctime extension" },
    };
    static const struct {
        const char *placeholder;
        ValueKind kind;
    } kinds[] = {
        { "FILE", VALUE_FILE },
        { "PATH", VALUE_FILE },
        { "DIR", VALUE_DIR },
        { "REPO", VALUE_DIR },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(enumerations); i++)
        if (strcmp(option->long_name, enumerations[i].option) == 0)
            return (Value){ VALUE_WORDS, enumerations[i].words };
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_strcmp0(option->arg_description, kinds[i].placeholder) == 0)
            return (Value){ kinds[i].kind, NULL };
    return (Value){ VALUE_TEXT, NULL };
}

static bool takes_value(const GOptionEntry *option)
{
    return option->arg_description != NULL;
}

/* "list|add|remove ID": the words an operand begins with. NULL when it is none of a few words. */
static char *first_words(const char *operands)
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

static bool wants_files(const Command *command)
{
    return g_str_has_prefix(command->operands, "SOURCE");
}

static bool wants_snapshot(const Command *command)
{
    return strstr(command->operands, "SNAPSHOT") != NULL;
}

typedef void (*PrintOption)(const char *command, const GOptionEntry *option);

static void each_option(const char *command, const GOptionEntry *options, PrintOption print)
{
    for (; options && options->long_name; options++)
        if (!(options->flags & G_OPTION_FLAG_HIDDEN))
            print(command, options);
}

/* command: NULL for the options of every command. */
static void each_global_option(PrintOption print)
{
    each_option(NULL, global_options, print);
    each_option(NULL, gathered_options, print);
    each_option(NULL, help_option, print);
}

/* ---- bash ---- */

static const char bash_functions[] =
    "_backstay()\n"
    "{\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} command='' waiting='' kind='' words='' "
    "options=''\n"
    "    local operands='' word i n=0\n"
    "\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [ -n \"$waiting\" ]; then\n"
    "            # --overwrite=never is three words here\n"
    "            [ \"$word\" = = ] || waiting=''\n"
    "        elif [ \"${word:0:1}\" = - ]; then\n"
    "            _backstay_option \"$command\" \"$word\"\n"
    "            [ \"$kind\" = flag ] || waiting=$word\n"
    "        elif [ -z \"$command\" ]; then\n"
    "            command=$word\n"
    "        else\n"
    "            n=$((n + 1))\n"
    "        fi\n"
    "    done\n"
    "    [ \"$current\" != = ] || current=''\n"
    "    _backstay_command \"$command\"\n"
    "    if [ -n \"$waiting\" ]; then\n"
    "        _backstay_option \"$command\" \"$waiting\"\n"
    "    elif [ \"${current:0:1}\" = - ]; then\n"
    "        kind=words words=$options\n"
    "    else\n"
    "        kind=$operands\n"
    "    fi\n"
    "    [ \"$kind\" != first ] || [ $n -gt 0 ] || kind=words\n"
    "    case $kind in\n"
    "    files) mapfile -t COMPREPLY < <(compgen -f -- \"$current\") ;;\n"
    "    dirs) mapfile -t COMPREPLY < <(compgen -d -- \"$current\") ;;\n"
    "    words) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\") ;;\n"
    "    esac\n"
    "    case $kind in\n"
    "    files | dirs) compopt -o filenames 2>/dev/null ;;\n"
    "    esac\n"
    "}\n"
    "complete -F _backstay backstay\n";

static void bash_option_value(const char *command, const GOptionEntry *option)
{
    static const char *const kinds[] = {
        [VALUE_TEXT] = "text",
        [VALUE_FILE] = "files",
        [VALUE_DIR] = "dirs",
        [VALUE_WORDS] = "words",
    };
    Value value = option_value(option);

    if (!takes_value(option))
        return;
    command = command ? command : "*";
    if (option->short_name)
        printf("    %s:-%c | ", command, option->short_name);
    else
        printf("    ");
    printf("%s:--%s) kind=%s", command, option->long_name, kinds[value.kind]);
    if (value.words)
        printf(" words='%s'", value.words);
    printf(" ;;\n");
}

static void bash_option_name(const char *command, const GOptionEntry *option)
{
    (void)command;
    printf(" --%s", option->long_name);
    if (option->short_name)
        printf(" -%c", option->short_name);
}

static void bash_command(const Command *command)
{
    g_autofree char *words = first_words(command->operands);

    printf("    %s)\n        options='", command->name);
    each_option(command->name, command->options, bash_option_name);
    printf("'\n");
    if (words)
        printf("        operands=first words='%s'\n", words);
    else if (wants_files(command))
        printf("        operands=files\n");
    else if (wants_snapshot(command))
        printf("        operands=words words=latest\n");
    printf("        ;;\n");
}

static void print_bash(const GPtrArray *rows)
{
    printf("# bash completion for backstay; printed by `backstay completion bash`\n\n"
           "# kind: what stands after option $2 of command $1\n"
           "_backstay_option()\n{\n    case $1:$2 in\n");
    for (guint i = 0; i < rows->len; i++) {
        const Command *command = g_ptr_array_index(rows, i);

        each_option(command->name, command->options, bash_option_value);
    }
    each_global_option(bash_option_value);
    printf("    *) kind=flag ;;\n    esac\n}\n\n"
           "# options and operands of command $1\n"
           "_backstay_command()\n{\n    case $1 in\n    '')\n        operands=words words='");
    for (guint i = 0; i < rows->len; i++)
        printf("%s%s", i ? " " : "", ((const Command *)g_ptr_array_index(rows, i))->name);
    printf("'\n        ;;\n");
    for (guint i = 0; i < rows->len; i++)
        bash_command(g_ptr_array_index(rows, i));
    printf("    esac\n    options+='");
    each_global_option(bash_option_name);
    printf("'\n}\n\n%s", bash_functions);
}

/* ---- zsh ---- */

/* For the inside of [...] and before a colon in what _arguments and _describe take. */
static char *zsh_escaped(const char *text)
{
    GString *out = g_string_new(NULL);

    for (; *text; text++) {
        if (strchr("[]:\\", *text))
            g_string_append_c(out, '\\');
        g_string_append_c(out, *text);
    }
    return g_string_free(out, FALSE);
}

static void zsh_option(const char *command, const GOptionEntry *option)
{
    static const char *const actions[] = {
        [VALUE_TEXT] = "",
        [VALUE_FILE] = "_files",
        [VALUE_DIR] = "_files -/",
    };
    g_autofree char *about = zsh_escaped(option->description);
    g_autoptr(GString) rest = g_string_new(NULL);
    g_autofree char *quoted = NULL;
    Value value = option_value(option);
    bool repeated = option->arg == ARG_LIST || option->arg == G_OPTION_ARG_CALLBACK;
    const char *equals = takes_value(option) ? "=" : "";

    (void)command;
    g_string_append_printf(rest, "[%s]", about);
    if (takes_value(option) && value.words)
        g_string_append_printf(rest, ":%s:(%s)", option->arg_description, value.words);
    else if (takes_value(option))
        g_string_append_printf(rest, ":%s:%s", option->arg_description, actions[value.kind]);
    quoted = g_shell_quote(rest->str);
    printf("        ");
    if (repeated)
        printf("'*'");
    else if (option->short_name)
        printf("'(-%c --%s)'", option->short_name, option->long_name);
    if (option->short_name)
        printf("{-%c,--%s%s}%s\n", option->short_name, option->long_name, equals, quoted);
    else
        printf("--%s%s%s\n", option->long_name, equals, quoted);
}

static void zsh_command(const Command *command)
{
    g_autofree char *words = first_words(command->operands);

    printf("    %s)\n        own=(\n", command->name);
    each_option(command->name, command->options, zsh_option);
    if (words)
        printf("        '1:operand:(%s)'\n", words);
    else if (wants_files(command))
        printf("        '*:source:_files'\n");
    else if (wants_snapshot(command))
        printf("        '*:snapshot:(latest)'\n");
    printf("        ) ;;\n");
}

static void print_zsh(const GPtrArray *rows)
{
    printf("#compdef backstay\n"
           "# printed by `backstay completion zsh`\n\n"
           "_backstay()\n{\n"
           "    local curcontext=$curcontext state line ret=1\n"
           "    local -a global own commands\n\n"
           "    global=(\n");
    each_global_option(zsh_option);
    printf("    )\n    commands=(\n");
    for (guint i = 0; i < rows->len; i++) {
        const Command *command = g_ptr_array_index(rows, i);
        g_autofree char *summary = zsh_escaped(command->summary);
        g_autofree char *row = g_strdup_printf("%s:%s", command->name, summary);
        g_autofree char *quoted = g_shell_quote(row);

        printf("        %s\n", quoted);
    }
    printf("    )\n\n"
           "    _arguments -C $global '1:command:->command' '*::operand:->operands' && ret=0\n"
           "    if [[ $state == command ]]; then\n"
           "        _describe -t commands command commands && ret=0\n"
           "        return ret\n"
           "    fi\n"
           "    [[ $state == operands ]] || return ret\n"
           "    case $words[1] in\n");
    for (guint i = 0; i < rows->len; i++)
        zsh_command(g_ptr_array_index(rows, i));
    printf("    esac\n"
           "    _arguments $global $own\n"
           "}\n\n"
           "if [[ $funcstack[1] == _backstay ]]; then\n"
           "    _backstay \"$@\"\n"
           "else\n"
           "    compdef _backstay backstay\n"
           "fi\n");
}

/* ---- fish ---- */

static char *fish_quoted(const char *text)
{
    GString *out = g_string_new("'");

    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            g_string_append_c(out, '\\');
        g_string_append_c(out, *text);
    }
    g_string_append_c(out, '\'');
    return g_string_free(out, FALSE);
}

static void fish_option(const char *command, const GOptionEntry *option)
{
    g_autofree char *about = fish_quoted(option->description);
    Value value = option_value(option);

    printf("complete -c backstay");
    if (command)
        printf(" -n '__backstay_command_is %s'", command);
    if (option->short_name)
        printf(" -s %c", option->short_name);
    printf(" -l %s", option->long_name);
    if (takes_value(option)) {
        switch (value.kind) {
        case VALUE_TEXT:
            printf(" -x");
            break;
        case VALUE_FILE:
            printf(" -r -F");
            break;
        case VALUE_DIR:
            printf(" -x -a '(__fish_complete_directories)'");
            break;
        case VALUE_WORDS:
            printf(" -x -a '%s'", value.words);
            break;
        }
    }
    printf(" -d %s\n", about);
}

static void fish_value_option(const char *command, const GOptionEntry *option)
{
    (void)command;
    if (takes_value(option) && option->short_name)
        printf(" -%c", option->short_name);
    if (takes_value(option))
        printf(" --%s", option->long_name);
}

static void fish_command(const Command *command)
{
    g_autofree char *words = first_words(command->operands);
    g_autofree char *summary = fish_quoted(command->summary);

    printf("complete -c backstay -n 'not __backstay_command' -a %s -d %s\n", command->name,
           summary);
    each_option(command->name, command->options, fish_option);
    if (wants_files(command))
        printf("complete -c backstay -n '__backstay_command_is %s' -F\n", command->name);
    else if (words || wants_snapshot(command))
        printf("complete -c backstay -n '__backstay_command_is %s' -a '%s'\n", command->name,
               words ? words : "latest");
}

static void print_fish(const GPtrArray *rows)
{
    printf("# fish completion for backstay; printed by `backstay completion fish`\n\n"
           "# The command on the line; fails while there is none.\n"
           "function __backstay_command\n"
           "    set -l waiting no\n"
           "    for word in (commandline -opc)[2..]\n"
           "        if test $waiting = yes\n"
           "            set waiting no\n"
           "            continue\n"
           "        end\n"
           "        switch $word\n"
           "            case");
    each_global_option(fish_value_option);
    printf("\n                set waiting yes\n"
           "            case '-*'\n"
           "            case '*'\n"
           "                echo $word\n"
           "                return 0\n"
           "        end\n"
           "    end\n"
           "    return 1\n"
           "end\n\n"
           "function __backstay_command_is\n"
           "    test \"$(__backstay_command)\" = $argv[1]\n"
           "end\n\n"
           "complete -c backstay -f\n");
    each_global_option(fish_option);
    for (guint i = 0; i < rows->len; i++)
        fish_command(g_ptr_array_index(rows, i));
}

/* ---- running ---- */

static bool completion_run(const Context *context, void *request, char **operands, GError **error)
{
    static const struct {
        const char *name;
        void (*print)(const GPtrArray *rows);
    } shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };
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
