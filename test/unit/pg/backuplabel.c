/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/backuplabel.h"
#include "base/error.h"
#include "lib/recorded.h"
#include "pg/walname.h"

static const char sound[] = "START WAL LOCATION: 0/D00028 (file 00000001000000000000000D)\n"
                            "CHECKPOINT LOCATION: 0/D00060\n"
                            "BACKUP METHOD: streamed\n"
                            "BACKUP FROM: standby\n"
                            "START TIME: 2026-11-21 06:48:21 UTC\n"
                            "LABEL: a: \"label\" \n"
                            "START TIMELINE: 3\n";

static BackupLabel *parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    BackupLabel *label = backup_label_parse(text, strlen(text), &error);

    g_assert_no_error(error);
    return label;
}

static void servers_wrote_what_is_read(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autoptr(GByteArray) text = recorded(recorded_releases[i], "backup_label");
        g_autoptr(BackupLabel) label = parse((const char *)text->data);

        g_assert_cmpstr(label->label, ==, "a \"label\"");
        g_assert_cmpuint(label->timeline, ==, 1);
        g_assert_cmpuint(label->start % (1 << 20), ==, 0x28);
        g_assert_cmpuint(label->checkpoint, >, label->start);
        g_assert_true(label->streamed);
        g_assert_false(label->from_standby);
        g_assert_cmpuint(label->stop, ==, 0);
        g_assert_cmpuint(label->incremental_from, ==, 0);
    }
}

/* The file's name says where the backup began. */
static void labels_in_the_archive_say_where_the_backup_ended(void)
{
    unsigned n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autofree char *path =
            g_strdup_printf("%s/postgres/%d", g_getenv("FIXTURES"), recorded_releases[i]);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *file;

        while ((file = g_dir_read_name(dir))) {
            g_autoptr(GByteArray) text = NULL;
            g_autoptr(BackupLabel) label = NULL;
            WalName name;
            uint64_t lsn;

            if (!g_str_has_suffix(file, ".backup"))
                continue;
            text = recorded(recorded_releases[i], file);
            label = parse((const char *)text->data);
            g_assert_true(wal_name_parse(file, &name, NULL));
            g_assert_true(wal_name_lsn(&name, 1 << 20, &lsn, NULL));
            g_assert_cmpuint(label->start, ==, lsn);
            g_assert_cmpuint(label->stop, >, label->checkpoint);
            g_assert_cmpuint(label->stop_timeline, ==, 1);
            g_assert_nonnull(label->stopped);
            n++;
        }
    }
    g_assert_cmpuint(n, ==, 12);
}

static void lines_may_come_in_any_order(void)
{
    g_autoptr(BackupLabel) label = parse("LABEL: \nSTART TIMELINE: 3\nBACKUP FROM: master\n"
                                         "BACKUP METHOD: pg_start_backup\nSTART TIME: now\n"
                                         "INCREMENTAL FROM LSN: 0/B000028\n"
                                         "CHECKPOINT LOCATION: 1/60\nINCREMENTAL FROM TLI: 2\n"
                                         "START WAL LOCATION: 1/28 (file "
                                         "000000030000000100000000)");

    g_assert_cmpuint(label->start, ==, UINT64_C(0x100000028));
    g_assert_cmpuint(label->timeline, ==, 3);
    g_assert_false(label->streamed);
    g_assert_false(label->from_standby);
    g_assert_cmpstr(label->label, ==, "");
    g_assert_cmpuint(label->incremental_from, ==, 0xb000028);
    g_assert_cmpuint(label->incremental_timeline, ==, 2);
}

static void every_line_is_needed_once(void)
{
    g_auto(GStrv) lines = g_strsplit(sound, "\n", -1);
    g_autoptr(BackupLabel) label = parse(sound);

    g_assert_true(label->from_standby);
    g_assert_cmpstr(label->label, ==, "a: \"label\" ");
    for (guint skipped = 0; *lines[skipped]; skipped++) {
        g_autoptr(GString) without = g_string_new(NULL), twice = g_string_new(sound);
        g_autoptr(GError) missing = NULL, again = NULL;

        for (guint i = 0; *lines[i]; i++)
            if (i != skipped)
                g_string_append_printf(without, "%s\n", lines[i]);
        g_string_append_printf(twice, "%s\n", lines[skipped]);
        g_assert_null(backup_label_parse(without->str, without->len, &missing));
        g_assert_error(missing, BS_ERROR, BS_ERROR_CORRUPT);
        g_assert_null(backup_label_parse(twice->str, twice->len, &again));
        g_assert_error(again, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

static void what_cannot_be_read_is_corrupt(void)
{
    static const struct {
        const char *old, *new;
    } cases[] = {
        { "0/D00028 (", "0/D00028(" },
        { "0/D00028", "D00028" },
        { "00000001000000000000000D", "00000001000000000000000D.partial" },
        { "00000001000000000000000D", "00000001000000050000000D" },
        { "0/D00060", "0/D00060 " },
        { "0/D00060", "0/C00060" },
        { "streamed", "by hand" },
        { "standby", "nowhere" },
        { "TIMELINE: 3", "TIMELINE: 0" },
        { "TIMELINE: 3", "TIMELINE: 4294967296" },
        { "TIMELINE: 3", "TIMELINE: 3x" },
        { "TIMELINE: 3", "TIMELINE: 3\n\n" },
        { "LABEL: a", "LABEL: a\nsecond line" },
        { "LABEL: a", "LABEL: a\nSTOP TIMELINE: 3" },
        { "LABEL: a", "LABEL: a\nINCREMENTAL FROM TLI: 3" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) parts = g_strsplit(sound, cases[i].old, 2);
        g_autofree char *text = g_strjoinv(cases[i].new, parts);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].new);
        g_assert_null(backup_label_parse(text, strlen(text), &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
    g_assert_null(backup_label_parse(sound, sizeof sound, NULL));
}

static void servers_name_their_tablespaces(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autoptr(GByteArray) text = recorded(recorded_releases[i], "tablespace_map");
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) map =
            tablespace_map_parse(recorded_releases[i], (const char *)text->data, text->len, &error);
        const Tablespace *only;

        g_assert_no_error(error);
        g_assert_cmpuint(map->len, ==, 1);
        only = &g_array_index(map, Tablespace, 0);
        g_assert_cmpuint(only->oid, >=, 16384);
        g_assert_cmpint(*only->path, ==, '/');
        // 13 wrote it as it is, the others twice
        g_assert_true(g_str_has_suffix(only->path, "/one/elsewhere\\ and on"));
    }
}

static void odd_paths_and_none(void)
{
    static const char text[] = "16384 /a\\\nb\\\rc \\\\d\n4294967295 /\n";
    g_autoptr(GArray) map = tablespace_map_parse(15, text, sizeof text - 1, NULL);
    g_autoptr(GArray) old = tablespace_map_parse(13, "16384 /a\\\nb\\\\c\\d\n", 17, NULL);
    g_autoptr(GArray) none = tablespace_map_parse(15, "", 0, NULL);
    g_autoptr(GArray) line = tablespace_map_parse(15, "\n", 1, NULL);

    g_assert_cmpuint(map->len, ==, 2);
    g_assert_cmpstr(g_array_index(map, Tablespace, 0).path, ==, "/a\nb\rc \\d");
    g_assert_cmpuint(g_array_index(map, Tablespace, 1).oid, ==, UINT32_MAX);
    g_assert_cmpuint(old->len, ==, 1);
    g_assert_cmpstr(g_array_index(old, Tablespace, 0).path, ==, "/a\nb\\\\c\\d");
    g_assert_cmpuint(none->len, ==, 0);
    g_assert_cmpuint(line->len, ==, 0);
}

static void a_map_that_cannot_be_read_is_corrupt(void)
{
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {
#define TEXT(text) { text, sizeof text - 1 }
        TEXT("16384"),           TEXT("16384 "),       TEXT("16384 /a"),  TEXT("16384 /a\\"),
        TEXT("16384 a\n"),       TEXT("16384\t/a\n"),  TEXT("x /a\n"),    TEXT("0 /a\n"),
        TEXT("4294967296 /a\n"), TEXT("1 /a\n1 /b\n"), TEXT("1 /a\0b\n"), TEXT("1 /a\n\n2\n"),
#undef TEXT
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].text);
        g_assert_null(tablespace_map_parse(15, cases[i].text, cases[i].len, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backuplabel/servers", servers_wrote_what_is_read);
    g_test_add_func("/backuplabel/archive", labels_in_the_archive_say_where_the_backup_ended);
    g_test_add_func("/backuplabel/order", lines_may_come_in_any_order);
    g_test_add_func("/backuplabel/lines", every_line_is_needed_once);
    g_test_add_func("/backuplabel/corrupt", what_cannot_be_read_is_corrupt);
    g_test_add_func("/tablespace-map/servers", servers_name_their_tablespaces);
    g_test_add_func("/tablespace-map/odd", odd_paths_and_none);
    g_test_add_func("/tablespace-map/corrupt", a_map_that_cannot_be_read_is_corrupt);
    return g_test_run();
}
