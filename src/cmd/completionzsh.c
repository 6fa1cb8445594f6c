/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/completion.h"

#include <stdio.h>

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
        [COMPLETE_TEXT] = "",
        [COMPLETE_FILE] = "_files",
        [COMPLETE_DIR] = "_files -/",
    };
    g_autofree char *about = zsh_escaped(option->description);
    g_autoptr(GString) rest = g_string_new(NULL);
    g_autofree char *quoted = NULL;
    CompletionValue value = completion_option_value(option);
    bool repeated = option->arg == ARG_LIST || option->arg == G_OPTION_ARG_CALLBACK;
    const char *equals = completion_takes_value(option) ? "=" : "";

    (void)command;
    g_string_append_printf(rest, "[%s]", about);
    if (completion_takes_value(option) && value.words)
        g_string_append_printf(rest, ":%s:(%s)", option->arg_description, value.words);
    else if (completion_takes_value(option))
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
    g_autofree char *words = completion_first_words(command->operands);

    printf("    %s)\n        own=(\n", command->name);
    completion_each_option(command->name, command->options, zsh_option);
    if (words)
        printf("        '1:operand:(%s)'\n", words);
    else if (completion_wants_files(command))
        printf("        '*:source:_files'\n");
    else if (completion_wants_snapshot(command))
        printf("        '*:snapshot:(latest)'\n");
    printf("        ) ;;\n");
}

void completion_zsh(const GPtrArray *rows)
{
    printf("#compdef backstay\n"
           "# printed by `backstay completion zsh`\n\n"
           "_backstay()\n{\n"
           "    local curcontext=$curcontext state line ret=1\n"
           "    local -a global own commands\n\n"
           "    global=(\n");
    completion_each_global_option(zsh_option);
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
