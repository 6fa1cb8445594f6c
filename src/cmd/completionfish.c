/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/completion.h"

#include <stdio.h>

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
    CompletionValue value = completion_option_value(option);

    printf("complete -c backstay");
    if (command)
        printf(" -n '__backstay_command_is %s'", command);
    if (option->short_name)
        printf(" -s %c", option->short_name);
    printf(" -l %s", option->long_name);
    if (completion_takes_value(option)) {
        switch (value.kind) {
        case COMPLETE_TEXT:
            printf(" -x");
            break;
        case COMPLETE_FILE:
            printf(" -r -F");
            break;
        case COMPLETE_DIR:
            printf(" -x -a '(__fish_complete_directories)'");
            break;
        case COMPLETE_WORDS:
            printf(" -x -a '%s'", value.words);
            break;
        }
    }
    printf(" -d %s\n", about);
}

static void fish_value_option(const char *command, const GOptionEntry *option)
{
    (void)command;
    if (completion_takes_value(option) && option->short_name)
        printf(" -%c", option->short_name);
    if (completion_takes_value(option))
        printf(" --%s", option->long_name);
}

static void fish_command(const Command *command)
{
    g_autofree char *words = completion_first_words(command->operands);
    g_autofree char *summary = fish_quoted(command->summary);

    printf("complete -c backstay -n 'not __backstay_command' -a %s -d %s\n", command->name,
           summary);
    completion_each_option(command->name, command->options, fish_option);
    if (completion_wants_files(command))
        printf("complete -c backstay -n '__backstay_command_is %s' -F\n", command->name);
    else if (words || completion_wants_snapshot(command))
        printf("complete -c backstay -n '__backstay_command_is %s' -a '%s'\n", command->name,
               words ? words : "latest");
}

void completion_fish(const GPtrArray *rows)
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
    completion_each_global_option(fish_value_option);
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
    completion_each_global_option(fish_option);
    for (guint i = 0; i < rows->len; i++)
        fish_command(g_ptr_array_index(rows, i));
}
