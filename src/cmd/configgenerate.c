/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/config.h"
#include <string.h>

#define HELP_COLUMN 44

/* Rows that count; the others are shown as comments. */
static bool is_live(const Field *field, const char *also)
{
    return field->example && (field->required || g_strcmp0(field->key, also) == 0);
}

static void print_row(FILE *out, const Field *field, const char *indent, bool live)
{
    g_autofree char *row = g_strdup_printf("%s%s%s: %s", indent, live ? "" : "# ", field->key,
                                           field->example ? field->example : "");

    (void)fprintf(out, "%-*s # %s\n", HELP_COLUMN, g_strchomp(row), field->help);
}

/* also: a row that counts though it is not required; or NULL. */
static void print_rows(FILE *out, const Table *table, const char *indent, bool live,
                       const char *also)
{
    g_autofree char *deeper = g_strconcat(indent, live ? "# " : "", "  ", NULL);

    for (size_t i = 0; i < table->n; i++) {
        const Field *field = &table->fields[i];

        if (field->kind == FIELD_OBJECT || field->kind == FIELD_JSON) {
            print_row(out, field, indent, !live);
            print_rows(out, field->table, deeper, false, NULL);
        } else if (field->example) {
            print_row(out, field, indent, !live || is_live(field, also));
        }
    }
}

static void print_channels(FILE *out)
{
    (void)fprintf(out, "\n# Who is told, and how.\nnotifications:\n");
    for (const Table *const *table = channel_tables; *table; table++) {
        (void)fprintf(out, "#  %s:\n", (*table)->fields[0].example);
        print_rows(out, *table, "#    ", false, NULL);
    }
}

void config_generate(FILE *out)
{
    (void)fprintf(out,
                  "# Configuration of Backstay: backstay.yaml(5). Secrets are never written here, "
                  "only where they are:\n"
                  "# file:///PATH, env://NAME, cred://NAME (systemd) or command://COMMAND. "
                  "`backstay config check` reads this file.\n\n"
                  "# Places where snapshots are kept: backstay -r main\nrepositories:\n  main:\n");
    print_rows(out, &repository_table, "    ", true, "password");
    (void)fprintf(out, "\n# What is saved: backstay backup @shop-db\nsources:\n  shop-db:\n");
    print_rows(out, &source_table, "    ", true, "url");
    (void)fprintf(out, "  uploads:\n    paths: [/srv/uploads]\n"
                       "\n# When, where to, and how long it is kept.\nschedules:\n  nightly:\n");
    print_rows(out, &schedule_table, "    ", true, NULL);
    (void)fprintf(out, "\n# What every schedule has that does not say otherwise.\ndefaults:\n"
                       "  # timezone: Europe/Berlin\n");
    print_channels(out);
    (void)fprintf(out, "\n# The daemon itself.\nserver:\n");
    print_rows(out, &server_table, "  ", true, "listen");
}
