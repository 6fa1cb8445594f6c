/* SPDX-License-Identifier: Apache-2.0 */
/* Dumps that pg_dump of other releases has made, below test/fixtures/pgdump: what is in them. */
#pragma once
#include "source/pgdump.h"
#include <string.h>

static inline char *recorded_dump(const char *name)
{
    return g_build_filename(g_getenv("FIXTURES"), "pgdump", name, NULL);
}

/* Each table has the rows and the sum that the server told. */
static inline void assert_recorded_tables(const PgDump *dump)
{
    g_autofree char *path = recorded_dump("tables.txt"), *text = NULL;
    const GPtrArray *entries = pgdump_entries(dump);
    g_autoptr(GString) got = g_string_new(NULL);
    g_auto(GStrv) want = NULL;
    uint64_t objects, bytes;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (g_strcmp0(entry->desc, "TABLE DATA") != 0)
            continue;
        g_assert_true(entry->complete && entry->hashed);
        g_string_append_printf(got, "%s %" G_GINT64_FORMAT " %s\n", entry->tag, entry->rows,
                               id_hex(&entry->sha256).text);
    }
    want = g_strsplit(text, "\n", -1);
    for (char **line = want; *line; line++)
        g_assert_nonnull(strstr(got->str, *line));
    g_assert_cmpuint(got->len, ==, strlen(text));
    pgdump_large_objects(dump, &objects, &bytes);
    g_assert_cmpuint(objects, ==, 3);
    g_assert_cmpuint(bytes, ==, 403);
}
