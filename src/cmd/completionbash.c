/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/completion.h"

#include <stdio.h>

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
        [COMPLETE_TEXT] = "text",
        [COMPLETE_FILE] = "files",
        [COMPLETE_DIR] = "dirs",
        [COMPLETE_WORDS] = "words",
    };
    CompletionValue value = completion_option_value(option);

    if (!completion_takes_value(option))
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
    g_autofree char *words = completion_first_words(command->operands);

    printf("    %s)\n        options='", command->name);
    completion_each_option(command->name, command->options, bash_option_name);
    printf("'\n");
    if (words)
        printf("        operands=first words='%s'\n", words);
    else if (completion_wants_files(command))
        printf("        operands=files\n");
    else if (completion_wants_snapshot(command))
        printf("        operands=words words=latest\n");
    printf("        ;;\n");
}

void completion_bash(const GPtrArray *rows)
{
    printf("# bash completion for backstay; printed by `backstay completion bash`\n\n"
           "# kind: what stands after option $2 of command $1\n"
           "_backstay_option()\n{\n    case $1:$2 in\n");
    for (guint i = 0; i < rows->len; i++) {
        const Command *command = g_ptr_array_index(rows, i);

        completion_each_option(command->name, command->options, bash_option_value);
    }
    completion_each_global_option(bash_option_value);
    printf("    *) kind=flag ;;\n    esac\n}\n\n"
           "# options and operands of command $1\n"
           "_backstay_command()\n{\n    case $1 in\n    '')\n        operands=words words='");
    for (guint i = 0; i < rows->len; i++)
        printf("%s%s", i ? " " : "", ((const Command *)g_ptr_array_index(rows, i))->name);
    printf("'\n        ;;\n");
    for (guint i = 0; i < rows->len; i++)
        bash_command(g_ptr_array_index(rows, i));
    printf("    esac\n    options+='");
    completion_each_global_option(bash_option_name);
    printf("'\n}\n\n%s", bash_functions);
}
