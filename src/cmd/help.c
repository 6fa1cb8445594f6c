/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/help.h"

const GOptionEntry help_option[] = {
    { "help", 'h', 0, ARG_FLAG, NULL, "tell what a command does and takes", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

void help_overview(FILE *out)
{
    fprintf(out, "usage: backstay [-r REPO] COMMAND [OPTION...] [OPERAND...]\n\n"
                 "A backup you have never restored is not a backup; so Backstay restores "
                 "it.\n\ncommands:\n");
    for (const Command *const *command = commands; *command; command++)
        if (!(*command)->hidden)
            fprintf(out, "  %-12s %s\n", (*command)->name, (*command)->summary);
    fprintf(out, "\n`backstay help COMMAND` tells more about one.\n");
}

static void print_option(FILE *out, const GOptionEntry *option)
{
    g_autofree char *name = option->arg_description ? g_strdup_printf("--%s %s", option->long_name,
                                                                      option->arg_description)
                                                    : g_strdup_printf("--%s", option->long_name);

    if (option->short_name)
        fprintf(out, "  -%c, %-28s %s\n", option->short_name, name, option->description);
    else
        fprintf(out, "      %-28s %s\n", name, option->description);
}

static void print_options(FILE *out, const GOptionEntry *options)
{
    for (; options && options->long_name; options++)
        if (!(options->flags & G_OPTION_FLAG_HIDDEN))
            print_option(out, options);
}

void help_command(FILE *out, const Command *command)
{
    fprintf(out, "usage: backstay %s [OPTION...] %s\n\n%s\n", command->name, command->operands,
            command->summary);
    if (command->description)
        fprintf(out, "\n%s\n", command->description);
    if (command->options) {
        fprintf(out, "\noptions:\n");
        print_options(out, command->options);
    }
    fprintf(out, "\noptions of every command:\n");
    print_options(out, global_options);
    print_options(out, gathered_options);
    print_options(out, help_option);
}
