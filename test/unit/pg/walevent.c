/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walevent.h"
#include "base/error.h"
#include "lib/recorded_wal.h"
#include "pg/little.h"

typedef void (*EachEvent)(const WalRecord *record, const WalEvent *event, void *user);

static void each_event(const RecordedWal *wal, EachEvent each, void *user)
{
    g_autoptr(WalReader) reader =
        wal_reader_new(wal->start, RECORDED_SEGMENT, wal->system_id, wal->history);
    g_autoptr(GError) error = NULL;
    WalRecord record;
    WalEvent event;

    while (recorded_next(wal, reader, RECORDED_SEGMENT, &record, &error) == WAL_STEP_RECORD) {
        (void)wal_event_decode(&record, &event, &error);
        g_assert_no_error(error);
        each(&record, &event, user);
    }
    g_assert_no_error(error);
}

/* ---- what the servers said of the times of their transactions ---- */

static void collect_end(const WalRecord *record, const WalEvent *event, void *user)
{
    GHashTable *commits = user;

    (void)record;
    if (event->kind != WAL_COMMIT && event->kind != WAL_ABORT)
        return;
    for (uint32_t i = 0; i <= event->n_subxacts; i++) {
        uint32_t xid = i ? little_u32(event->subxacts + 4 * (i - 1)) : event->xid;
        int64_t *time_us = g_memdup2(&event->time_us, sizeof event->time_us);

        if (event->kind == WAL_ABORT)
            *time_us = 0;
        g_assert_true(g_hash_table_insert(commits, GUINT_TO_POINTER(xid), time_us));
    }
}

static void commits_have_the_time_that_the_server_knows(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autoptr(RecordedWal) wal = recorded_wal(recorded_releases[i]);
        g_autoptr(GHashTable) commits = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        g_auto(GStrv) lines = recorded_lines(wal->release, "commits.txt");
        guint n = 0, n_aborted = 0, last = 0;
        GHashTableIter iter;
        gpointer xid, time_us;

        each_event(wal, collect_end, commits);
        for (char **line = lines; *line; line++) {
            g_auto(GStrv) field = g_strsplit(*line, "\t", 2);
            const int64_t *found;

            last = (guint)g_ascii_strtoull(field[0], NULL, 10);
            found = g_hash_table_lookup(commits, GUINT_TO_POINTER(last));
            // the very first ones lie before the first segment that was kept
            if (!found && n == 0)
                continue;
            g_assert_nonnull(found);
            g_assert_cmpint(*found, ==, g_ascii_strtoll(field[1], NULL, 10));
            n++;
        }
        g_assert_cmpuint(n, >=, 10);
        // and no other one was committed
        g_hash_table_iter_init(&iter, commits);
        while (g_hash_table_iter_next(&iter, &xid, &time_us))
            if (GPOINTER_TO_UINT(xid) <= last && *(int64_t *)time_us)
                n--;
            else if (GPOINTER_TO_UINT(xid) <= last)
                n_aborted++;
        g_assert_cmpuint(n, ==, 0);
        // two rolled back, one with a part of its own; one rolled back when prepared, with another
        g_assert_cmpuint(n_aborted, ==, 5);
    }
}

/* ---- what the servers' tools said of the records ---- */

static char *time_text(int64_t time_us)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(time_us / G_USEC_PER_SEC);
    g_autofree char *seconds = g_date_time_format(time, "%Y-%m-%d %H:%M:%S");
    g_autoptr(GString) text = g_string_new(seconds);

    if (time_us % G_USEC_PER_SEC) {
        g_string_append_printf(text, ".%06d", (int)(time_us % G_USEC_PER_SEC));
        while (text->str[text->len - 1] == '0')
            g_string_truncate(text, text->len - 1);
    }
    g_string_append(text, "+00");
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *transaction_text(const WalEvent *event)
{
    g_autofree char *time = time_text(event->time_us);

    return event->prepared ? g_strdup_printf("%u: %s", event->xid, time) : g_strdup(time);
}

static char *subxacts_text(const WalEvent *event)
{
    g_autoptr(GString) text = g_string_new("; subxacts:");

    for (uint32_t i = 0; i < event->n_subxacts; i++)
        g_string_append_printf(text, " %u", little_u32(event->subxacts + 4 * i));
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void check_transaction(const WalEvent *event, const char *says)
{
    g_autofree char *begin = transaction_text(event);
    g_autofree char *subxacts = subxacts_text(event);

    g_assert_true(g_str_has_prefix(says, begin));
    g_assert_cmpint(strstr(says, "subxacts:") != NULL, ==, event->n_subxacts > 0);
    if (event->n_subxacts)
        g_assert_nonnull(strstr(says, subxacts));
}

static void check_checkpoint(const WalEvent *event, const char *says)
{
    g_autofree char *begin =
        g_strdup_printf("redo %s; tli %u; prev tli %u;", lsn_text(event->lsn).text, event->timeline,
                        event->previous_timeline);

    g_assert_true(g_str_has_prefix(says, begin));
    g_assert_true(g_str_has_suffix(says, event->shutdown ? "; shutdown" : "; online"));
}

static void check_said(const WalRecord *record, const WalEvent *event, void *user)
{
    GHashTable *rows = user;
    const char *row = g_hash_table_lookup(rows, lsn_text(record->lsn).text);
    g_auto(GStrv) field = g_strsplit(row ? row : "", "\t", 9);
    const char *kind, *says;

    if (!row)
        return;
    kind = field[5];
    says = field[8];
    g_test_message("%s %s", kind, says);
    g_assert_cmpint(event->kind == WAL_COMMIT, ==, g_str_has_prefix(kind, "COMMIT"));
    g_assert_cmpint(event->kind == WAL_ABORT, ==, g_str_has_prefix(kind, "ABORT"));
    g_assert_cmpint(event->prepared, ==, g_str_has_suffix(kind, "_PREPARED"));
    g_assert_cmpint(event->kind == WAL_CHECKPOINT, ==,
                    g_str_equal(kind, "CHECKPOINT_ONLINE") ||
                        g_str_equal(kind, "CHECKPOINT_SHUTDOWN"));
    g_assert_cmpint(event->kind == WAL_RESTORE_POINT, ==, g_str_equal(kind, "RESTORE_POINT"));
    g_assert_cmpint(event->kind == WAL_BACKUP_END, ==, g_str_equal(kind, "BACKUP_END"));
    if (event->kind == WAL_COMMIT || event->kind == WAL_ABORT)
        check_transaction(event, says);
    else if (event->kind == WAL_CHECKPOINT)
        check_checkpoint(event, says);
    else if (event->kind == WAL_RESTORE_POINT)
        g_assert_cmpstr(says, ==, event->name);
    else if (event->kind == WAL_BACKUP_END)
        g_assert_cmpstr(says, ==, lsn_text(event->lsn).text);
}

static void events_are_what_the_servers_tools_say(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autoptr(GHashTable) rows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(RecordedWal) wal = recorded_wal(recorded_releases[i]);
        g_auto(GStrv) lines = NULL;

        if (wal->release < 15)
            continue;
        lines = recorded_lines(wal->release, "records.txt");
        for (char **line = lines; *line; line++)
            g_hash_table_insert(rows, g_strndup(*line, strcspn(*line, "\t")), *line);
        each_event(wal, check_said, rows);
    }
}

/* ---- what recovery looks for ---- */

typedef struct {
    const RecordedWal *wal;
    GString *names;
    guint n_backups, n_begun, n_ends, n_overwritten;
} Marks;

/* The first record of a timeline. */
static void check_begin(const WalRecord *record, const WalEvent *event, Marks *marks)
{
    const PgStretch *stretch = pg_history_find(marks->wal->history, event->timeline);

    marks->n_begun++;
    g_assert_cmpuint(event->timeline, ==, marks->n_begun + 1);
    g_assert_cmpuint(event->previous_timeline, ==, marks->n_begun);
    g_assert_cmpuint(record->prev, <, stretch->begin);
    g_assert_cmpuint(record->lsn, >=, stretch->begin);
    g_assert_cmpuint(record->lsn, <=, stretch->begin + 40);
}

static void collect_mark(const WalRecord *record, const WalEvent *event, void *user)
{
    Marks *marks = user;

    switch (event->kind) {
    case WAL_RESTORE_POINT:
        g_string_append_printf(marks->names, "%s\n", event->name);
        g_assert_cmpint(event->time_us, >, INT64_C(1700000000) * G_USEC_PER_SEC);
        break;
    case WAL_BACKUP_END:
        marks->n_backups++;
        break;
    case WAL_END_OF_RECOVERY:
        marks->n_ends++;
        g_assert_cmpint(event->time_us, >, INT64_C(1700000000) * G_USEC_PER_SEC);
        check_begin(record, event, marks);
        break;
    case WAL_CHECKPOINT:
        g_assert_cmpuint(event->timeline, ==,
                         pg_history_timeline_at(marks->wal->history, record->lsn));
        g_assert_cmpuint(event->lsn, <=, record->lsn);
        if (event->timeline != event->previous_timeline)
            check_begin(record, event, marks);
        break;
    case WAL_OVERWRITTEN:
        marks->n_overwritten++;
        g_assert_cmpuint(event->lsn, <, record->lsn);
        g_assert_cmpuint(event->lsn, >, record->prev);
        // it begins the page where the lost record would have gone on
        g_assert_cmpuint(record->lsn % RECORDED_SEGMENT, ==, 40);
        break;
    default:
        break;
    }
}

static void recovery_finds_its_marks(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autoptr(RecordedWal) wal = recorded_wal(recorded_releases[i]);
        g_autoptr(GString) names = g_string_new(NULL);
        Marks marks = { .wal = wal, .names = names };

        g_test_message("release %d", wal->release);
        each_event(wal, collect_mark, &marks);
        g_assert_cmpstr(names->str, ==, "before the release\nthe last one\non the second\n");
        g_assert_cmpuint(marks.n_backups, ==, 2);
        // one by a promotion, one by a recovery with a target, which ends in a checkpoint
        g_assert_cmpuint(marks.n_begun, ==, 2);
        g_assert_cmpuint(marks.n_ends, ==, 1);
        g_assert_cmpuint(marks.n_overwritten, ==, 1);
    }
}

/* ---- what is not as it should be ---- */

static void check_cut(const WalRecord *record, const WalEvent *event, void *user)
{
    guint *n = user;

    for (uint32_t len = 0; len < record->main_len && event->kind != WAL_OTHER; len++) {
        g_autofree uint8_t *copy = g_memdup2(record->main, len); // for a sanitizer to watch
        g_autoptr(GError) error = NULL;
        WalRecord cut = *record;
        WalEvent got = { .xid = 77 };

        cut.main = copy;
        cut.main_len = len;
        if (!wal_event_decode(&cut, &got, &error)) {
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
            g_assert_cmpuint(got.xid, ==, 77);
            ++*n;
        }
        // only what nobody looks at may be missing
        g_assert_true(error || len >= 8);
    }
}

static void a_short_record_is_corrupt(void)
{
    g_autoptr(RecordedWal) wal = recorded_wal(15);
    guint n = 0;

    each_event(wal, check_cut, &n);
    g_assert_cmpuint(n, >, 500);
}

/* PostgreSQL source tree, xl_parameter_change: five limits, wal_level, two truth values. */
static void a_change_of_the_wal_level_is_seen(void)
{
    const uint8_t content[26] = { 100, 0, 0, 0,  8, 0, 0, 0, 10, 0, 0, 0, 0,
                                  0,   0, 0, 64, 0, 0, 0, 2, 0,  0, 0, 0, 1 };
    WalRecord record = { .release = 15, .info = 0x60, .main = content, .main_len = sizeof content };
    WalEvent event;

    g_assert_true(wal_event_decode(&record, &event, NULL));
    g_assert_cmpint(event.kind, ==, WAL_PARAMETERS);
    g_assert_cmpint(event.wal_level, ==, 2);
    g_assert_cmpuint(event.limits[0], ==, 100);
    g_assert_cmpuint(event.limits[4], ==, 64);
}

/* PostgreSQL source tree, xl_tblspc_create_rec and xl_tblspc_drop_rec. */
static void a_tablespace_is_made_at_its_path(void)
{
    const uint8_t content[] = { 0x0d, 0x40, 0, 0, '/', 'a', ' ', 'b', '\0' };
    WalRecord record = {
        .release = 15, .rmgr = WAL_RMGR_TABLESPACE, .main = content, .main_len = sizeof content
    };
    g_autoptr(GError) error = NULL;
    WalEvent event;

    g_assert_true(wal_event_decode(&record, &event, NULL));
    g_assert_cmpint(event.kind, ==, WAL_TABLESPACE);
    g_assert_cmpuint(event.oid, ==, 16397);
    g_assert_cmpstr(event.location, ==, "/a b");
    record.main_len--;
    g_assert_false(wal_event_decode(&record, &event, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    record.info = 0x10;
    record.main_len = 4;
    g_assert_true(wal_event_decode(&record, &event, NULL));
    g_assert_cmpint(event.kind, ==, WAL_OTHER);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walevent/commits", commits_have_the_time_that_the_server_knows);
    g_test_add_func("/walevent/tools", events_are_what_the_servers_tools_say);
    g_test_add_func("/walevent/marks", recovery_finds_its_marks);
    g_test_add_func("/walevent/short", a_short_record_is_corrupt);
    g_test_add_func("/walevent/tablespace", a_tablespace_is_made_at_its_path);
    g_test_add_func("/walevent/parameters", a_change_of_the_wal_level_is_seen);
    return g_test_run();
}
