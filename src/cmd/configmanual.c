/* SPDX-License-Identifier: Apache-2.0 */
/* The manual page backstay.yaml(5), printed from the tables that check the file, in mdoc (mandoc's
 * mdoc(7), "Language overview"). */
#include "cmd/commands.h"
#include "cmd/config.h"
#include "cmd/roff.h"
#include "config/archive.h"
#include <stdio.h>
#include <string.h>

#define MANUAL_DATE "November 21, 2026"

static const char description[] =
    "The configuration of backstay is a YAML file, version 1.2: UTF-8, at most 1 MiB, one "
    "document. "
    "Anchors and aliases may be used, tags may not. It is read strictly: unknown keys, keys that "
    "stand there twice, values of a wrong type and names of nothing are errors, which backstay "
    "config check tells with line and column, all at once.\n"
    "\n"
    "Secrets are never written into it, only where they are: file:///PATH, env://NAME (a "
    "variable), "
    "cred://NAME (a credential of systemd, see LoadCredential= in systemd.exec(5)) or "
    "command://COMMAND (what it prints). env://NAME#password is the password within the URL that "
    "is "
    "there. Any other value may also be file:///PATH, env://NAME or cred://NAME; it is looked up "
    "when the file is read.\n"
    "\n"
    "The names of repositories, sources, schedules and channels consist of letters, digits, dots, "
    "underscores and dashes, at most 64, and begin with a letter or digit. Where a list may stand "
    "a single value is a list of one. Sizes are powers of 1024.\n"
    "\n"
    "What stands under defaults has the keys of schedules, without a name, and counts for every "
    "schedule that does not have the key itself. Values are taken whole: the keep of a schedule "
    "is not mixed with that of the defaults.";

char *config_what(const Field *field)
{
    g_autofree char *words = field->words ? g_strjoinv(", ", (char **)field->words) : NULL;
    const char *what = words            ? words
                       : field->section ? "a name of another part"
                       : field->type    ? field->type->what
                                        : "";

    switch (field->kind) {
    case FIELD_FLAG:
        return g_strdup("true or false");
    case FIELD_NUMBER:
        return field->max == G_MAXINT
                   ? g_strdup("a number")
                   : g_strdup_printf("a number from %d to %d", field->min, field->max);
    case FIELD_LIST:
        return g_strdup_printf("a list; in it %s", what);
    case FIELD_PAIRS:
        return g_strdup_printf("names with values; each is %s", what);
    case FIELD_OBJECTS:
        return g_strdup("a list of objects");
    case FIELD_TEXT:
        return words ? g_strdup_printf("one of %s", words) : g_strdup(what);
    case FIELD_OBJECT:
    case FIELD_JSON:
        return g_strdup("an object");
    }
    g_assert_not_reached();
}

static void print_rows(const Table *table, const char *prefix)
{
    for (size_t i = 0; i < table->n; i++) {
        const Field *field = &table->fields[i];
        g_autofree char *key = g_strconcat(prefix, field->key, NULL);
        g_autofree char *inner = g_strconcat(key, ".", NULL), *what = config_what(field);
        g_autofree char *end = field->fallback ? g_strdup_printf("(Default: %s)", field->fallback)
                                               : g_strdup(field->required ? "(Required)" : "");
        g_autofree char *value = g_strdup_printf("Value: %s. %s", what, end);

        printf(".It Ic %s\n", key);
        roff_sentence(field->help);
        // the options of a source have a part of their own
        if (field->kind == FIELD_OBJECT)
            print_rows(field->table, inner);
        else
            roff_paragraph(value, strlen(value));
    }
}

static void print_table(const Table *table)
{
    printf(".Ss %s\n", table->title);
    if (table->help)
        roff_text(table->help);
    printf(".Bl -tag -width Ds\n");
    print_rows(table, "");
    printf(".El\n");
}

static void print_page(void)
{
    const Table *const tables[] = { &repository_table,   &source_table,   &source_options_table,
                                    &source_facts_table, &schedule_table, &archive_table,
                                    &server_table };

    printf(".\\\" SPDX-License-Identifier: Apache-2.0\n"
           ".\\\" printed by `backstay config-manual` from the tables of the configuration\n"
           ".Dd " MANUAL_DATE "\n.Dt BACKSTAY.YAML 5\n.Os Backstay " BS_VERSION "\n"
           ".Sh NAME\n.Nm backstay.yaml\n.Nd configuration of backstay\n.Sh DESCRIPTION\n");
    roff_text(description);
    printf(".Sh KEYS\n");
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
        print_table(tables[i]);
    for (const Table *const *table = channel_tables; *table; table++)
        print_table(*table);
    printf(".Sh FILES\n.Bl -tag -width Ds\n"
           ".It Pa /etc/backstay/backstay.yaml\nThe configuration of root, and of everybody who "
           "has none.\n"
           ".It Pa ~/.config/backstay/backstay.yaml\nThat of everybody else ($XDG_CONFIG_HOME).\n"
           ".El\n.Sh EXAMPLES\n.Nm backstay\n.Cm config generate\nprints one.\n"
           ".Sh SEE ALSO\n.Xr backstay 1\n");
}

static bool config_manual_run(G_GNUC_UNUSED const Context *context, G_GNUC_UNUSED void *request,
                              char **operands, GError **error)
{
    if (!operands_between(operands, 0, 0, "", error))
        return false;
    print_page();
    return true;
}

const Command manual5_command = {
    .name = "config-manual",
    .operands = "",
    .summary = "print the manual page of the configuration as roff",
    .hidden = true,
    .run = config_manual_run,
};
