/* SPDX-License-Identifier: Apache-2.0 */
#include "op/reach.h"

#include "base/error.h"
#include "flow/archiver.h"
#include "unit/op/recordedworld.h"

#include <string.h>

/* ---- base backups ---- */

static void *begin(Sink *sink, const char *path, mode_t mode, size_t len)
{
    g_autoptr(Node) node = node_new();
    Entry entry = { .path = path, .node = node };
    g_autoptr(GError) error = NULL;
    void *handle;

    node->name = g_path_get_basename(path);
    node->mode = mode;
    node->size = len;
    node->links = 1;
    sink_begin(sink, &entry, &handle, &error);
    g_assert_no_error(error);
    return handle;
}

static void end(Sink *sink, void *handle)
{
    g_autoptr(GError) error = NULL;

    sink_end(sink, handle, NULL, &error);
    g_assert_no_error(error);
}

static void add_file(Sink *sink, const char *path, const void *data, size_t len)
{
    void *handle = begin(sink, path, S_IFREG | 0600, len);
    g_autoptr(GError) error = NULL;

    sink_write(sink, handle, 0, data, len, &error);
    g_assert_no_error(error);
    end(sink, handle);
}

static void add_recorded(Sink *sink, const char *path, int release, const char *name)
{
    g_autoptr(GByteArray) bytes = recorded(release, name);

    add_file(sink, path, bytes->data, bytes->len);
}

/* What of a cluster's folder a recovery is planned with. wal: a segment in its pg_wal, or NULL. */
static void add_cluster(Sink *sink, int release, const char *label, const char *wal)
{
    static const char manifest[] = "{\"tablespaces\": []}";
    void *top = begin(sink, "/pg", S_IFDIR | 0700, 0), *pgdata, *dir;

    add_file(sink, "/pg/manifest.json", manifest, strlen(manifest));
    pgdata = begin(sink, "/pg/pgdata", S_IFDIR | 0700, 0);
    if (label)
        add_file(sink, "/pg/pgdata/backup_label", label, strlen(label));
    dir = begin(sink, "/pg/pgdata/global", S_IFDIR | 0700, 0);
    add_recorded(sink, "/pg/pgdata/global/pg_control", release, "pg_control");
    end(sink, dir);
    dir = begin(sink, "/pg/pgdata/pg_wal", S_IFDIR | 0700, 0);
    if (wal) {
        g_autofree char *path = g_strconcat("/pg/pgdata/pg_wal/", wal, NULL);

        add_recorded(sink, path, release, wal);
    }
    end(sink, dir);
    end(sink, pgdata);
    end(sink, top);
}

static Snapshot *tagged(const RecordedWorld *world, uint64_t start, uint64_t stop)
{
    static int64_t time = 1800000000;
    Snapshot *snapshot = snapshot_new();

    snapshot->time.sec = time++; // the later one is the newer
    g_strfreev(snapshot->tags);
    snapshot->tags = g_new0(char *, 6);
    snapshot->tags[0] = g_strdup("kind=pgcluster");
    snapshot->tags[1] = g_strdup_printf("system-id=%" G_GUINT64_FORMAT, world->wal->system_id);
    snapshot->tags[2] = g_strdup("timeline=1");
    snapshot->tags[3] = g_strconcat("start-lsn=", lsn_text(start).text, NULL);
    snapshot->tags[4] = g_strconcat("stop-lsn=", lsn_text(stop).text, NULL);
    return snapshot;
}

typedef struct {
    Id id;
    uint64_t start, stop;
} Base;

static Base save(const RecordedWorld *world, uint64_t start, uint64_t stop, const char *label,
                 const char *wal)
{
    ArchiverOptions options = { .workers = 1 };
    g_autoptr(Archiver) archiver = NULL;
    g_autoptr(Snapshot) snapshot = NULL;
    g_autoptr(GError) error = NULL;
    bool saved;

    repo_load_index(world->repo, NULL, &error);
    g_assert_no_error(error);
    archiver = archiver_new(world->repo, tagged(world, start, stop), &options, NULL);
    add_cluster(archiver_sink(archiver), world->wal->release, label, wal);
    sink_finish(archiver_sink(archiver), &error);
    g_assert_no_error(error);
    snapshot = archiver_take_snapshot(archiver, &saved);
    repo_load_index(world->repo, NULL, &error);
    g_assert_no_error(error);
    return (Base){ snapshot->id, start, stop };
}

static uint64_t place_in(const char *label, const char *key)
{
    const char *at = strstr(label, key);
    uint64_t lsn;

    g_assert_nonnull(at);
    at += strlen(key);
    g_assert_true(lsn_parse_len(at, strcspn(at, " \n"), &lsn));
    return lsn;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One that the server took: nth of those whose history files were recorded. */
static Base warm_base(const RecordedWorld *world, unsigned nth, const char *wal)
{
    g_autofree char *path =
        g_strdup_printf("%s/postgres/%d", g_getenv("FIXTURES"), world->wal->release);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GByteArray) text = NULL;
    g_autoptr(GString) label = g_string_new(NULL);
    g_auto(GStrv) lines = NULL;
    const char *file;

    while ((file = g_dir_read_name(dir)))
        if (g_str_has_suffix(file, ".backup"))
            g_ptr_array_add(names, g_strdup(file));
    g_ptr_array_sort(names, by_name);
    text = recorded(world->wal->release, names->pdata[nth]);
    lines = g_strsplit((const char *)text->data, "\n", -1);
    for (char **line = lines; *line; line++)
        if (!g_str_has_prefix(*line, "STOP") && **line)
            g_string_append_printf(label, "%s\n", *line);
    return save(world, place_in((const char *)text->data, "START WAL LOCATION: "),
                place_in((const char *)text->data, "STOP WAL LOCATION: "), label->str, wal);
}

/* ---- what is recorded ---- */

/* The first record at lsn or behind. */
static WalRecord record_at(const RecordedWorld *world, uint64_t lsn)
{
    g_autoptr(WalReader) reader = wal_reader_new(world->wal->start, RECORDED_SEGMENT,
                                                 world->wal->system_id, world->wal->history);
    WalRecord record = { 0 };

    while (recorded_next(world->wal, reader, RECORDED_SEGMENT, &record, NULL) == WAL_STEP_RECORD)
        if (record.lsn >= lsn)
            return record;
    g_assert_not_reached();
}

typedef struct {
    uint64_t last, end; /* of all */
    uint64_t commit, commit_end;
    uint32_t xid; /* of the last commit */
    int64_t time_us;
} Recorded;

static Recorded look_at(const RecordedWorld *world)
{
    g_autoptr(WalReader) reader = wal_reader_new(world->wal->start, RECORDED_SEGMENT,
                                                 world->wal->system_id, world->wal->history);
    WalRecord record;
    Recorded found = { 0 };

    while (recorded_next(world->wal, reader, RECORDED_SEGMENT, &record, NULL) == WAL_STEP_RECORD) {
        WalEvent event;

        g_assert_true(wal_event_decode(&record, &event, NULL));
        found.last = record.lsn;
        found.end = record.end;
        if (event.kind == WAL_COMMIT) {
            found.commit = record.lsn;
            found.commit_end = record.end;
            found.xid = event.xid;
            found.time_us = event.time_us;
        }
    }
    return found;
}

/* A server that was shut down cleanly, at the checkpoint that its control file names. */
static Base cold_base(const RecordedWorld *world)
{
    g_autofree char *checkpoint = recorded_control(world->wal->release, "checkpoint_lsn");
    uint64_t start;

    g_assert_true(lsn_parse(checkpoint, &start));
    return save(world, start, record_at(world, start).end, NULL, NULL);
}

/* ---- asking ---- */

static bool ask(const RecordedWorld *world, const WalTarget *target, uint32_t timeline,
                Reach *ret_reach, GError **error)
{
    RecoveryTarget wanted = {
        .target = *target,
        .way = timeline ? RECOVERY_TIMELINE : RECOVERY_TIMELINE_LATEST,
        .timeline = timeline,
    };
    ReachRequest request = { .target = &wanted };

    return op_reach(world->repo, &request, NULL, ret_reach, error);
}

static void reaches(const RecordedWorld *world, const WalTarget *target, const Base *base,
                    uint64_t stop, bool after)
{
    g_auto(Reach) reach = { 0 };
    g_autoptr(GError) error = NULL;

    ask(world, target, 0, &reach, &error);
    g_assert_no_error(error);
    g_assert_true(id_equal(&reach.base.snapshot->id, &base->id));
    g_assert_cmpuint(reach.timeline, ==, 3);
    g_assert_cmphex(reach.stop, ==, stop);
    g_assert_cmpint(reach.after, ==, after);
    g_assert_cmpint(reach.target.kind, !=, WAL_TARGET_NONE);
}

static void is_refused(const RecordedWorld *world, const WalTarget *target, uint32_t timeline,
                       int code, const char *word)
{
    g_auto(Reach) reach = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_false(ask(world, target, timeline, &reach, &error));
    g_test_message("%s", error->message);
    g_assert_error(error, BS_ERROR, code);
    g_assert_nonnull(strstr(error->message, word));
}

/* ---- facts ---- */

static void finds_the_stop_over_three_timelines(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_auto(RecordedWorld) world = world_new(recorded_releases[i]);
        Base base = warm_base(&world, 0, NULL);
        Recorded all = look_at(&world);

        g_test_message("release %d", recorded_releases[i]);
        reaches(&world, &(WalTarget){ WAL_TARGET_NONE }, &base, all.last, true);
        reaches(&world, &(WalTarget){ WAL_TARGET_XID, .xid = all.xid }, &base, all.commit, true);
        reaches(&world, &(WalTarget){ WAL_TARGET_XID, .xid = all.xid, .exclusive = true }, &base,
                all.commit, false);
        reaches(&world, &(WalTarget){ WAL_TARGET_TIME, .time_us = all.time_us, .exclusive = true },
                &base, all.commit, false);
        reaches(&world, &(WalTarget){ WAL_TARGET_LSN, .lsn = all.commit }, &base, all.commit, true);
        reaches(&world, &(WalTarget){ WAL_TARGET_IMMEDIATE }, &base,
                record_at(&world, base.stop).prev, true);
    }
}

static void takes_the_newest_base_that_can(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    Base older = warm_base(&world, 0, NULL), newer = warm_base(&world, 1, NULL);
    uint64_t between = record_at(&world, newer.start).prev;

    reaches(&world, &(WalTarget){ WAL_TARGET_NONE }, &newer, look_at(&world).last, true);
    reaches(&world, &(WalTarget){ WAL_TARGET_LSN, .lsn = between }, &older, between, true);
    is_refused(&world, &(WalTarget){ WAL_TARGET_LSN, .lsn = older.start }, 0, BS_ERROR_WAL_GAP,
               "before the end of the base backup");
}

/* As of a standby that lags: taken later, it begins earlier, before a gap. */
static void takes_the_one_that_begins_last(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    Base late = warm_base(&world, 1, NULL);

    warm_base(&world, 0, NULL);
    world_remove(&world, "00000001000000000000000D");
    reaches(&world, &(WalTarget){ WAL_TARGET_NONE }, &late, look_at(&world).last, true);
}

static void refuses_what_is_behind_the_end(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    Recorded all = look_at(&world);
    g_autofree char *last = g_strdup(lsn_text(all.last).text);

    warm_base(&world, 0, NULL);
    is_refused(&world, &(WalTarget){ WAL_TARGET_LSN, .lsn = all.end + 1000 }, 0, BS_ERROR_WAL_GAP,
               last);
    is_refused(&world, &(WalTarget){ WAL_TARGET_XID, .xid = all.xid + 100 }, 0, BS_ERROR_WAL_GAP,
               last);
    is_refused(&world, &(WalTarget){ WAL_TARGET_TIME, .time_us = all.time_us + 1 }, 0,
               BS_ERROR_WAL_GAP, last);
    is_refused(&world, &(WalTarget){ WAL_TARGET_NAME, .name = "nowhere" }, 0, BS_ERROR_WAL_GAP,
               "nowhere");
}

static void a_gap_ends_it(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    Recorded all = look_at(&world);
    Base base = warm_base(&world, 0, NULL);
    uint64_t edge = record_at(&world, UINT64_C(0xF00000)).prev;

    world_remove(&world, "00000001000000000000000F");
    is_refused(&world, &(WalTarget){ WAL_TARGET_XID, .xid = all.xid }, 0, BS_ERROR_WAL_GAP,
               "00000001000000000000000F");
    is_refused(&world, &(WalTarget){ WAL_TARGET_NONE }, 0, BS_ERROR_WAL_GAP, "it is a gap");
    reaches(&world, &(WalTarget){ WAL_TARGET_LSN, .lsn = edge }, &base, edge, true);
}

static void the_base_serves_what_it_holds_itself(void)
{
    static const char own[] = "00000001000000000000000D";
    g_auto(RecordedWorld) with = world_new(15), without = world_new(15);
    Base base = warm_base(&with, 0, own);

    world_remove(&with, own);
    reaches(&with, &(WalTarget){ WAL_TARGET_NONE }, &base, look_at(&with).last, true);
    warm_base(&without, 0, NULL);
    world_remove(&without, own);
    is_refused(&without, &(WalTarget){ WAL_TARGET_NONE }, 0, BS_ERROR_WAL_GAP, own);
}

static void a_clean_shutdown_is_a_base(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_auto(RecordedWorld) world = world_new(recorded_releases[i]);
        Base base = cold_base(&world);
        Recorded all = look_at(&world);
        WalRecord next = record_at(&world, base.stop);

        g_test_message("release %d", recorded_releases[i]);
        reaches(&world, &(WalTarget){ WAL_TARGET_NONE }, &base, all.last, true);
        reaches(&world, &(WalTarget){ WAL_TARGET_XID, .xid = all.xid }, &base, all.commit, true);
        // a server reads on behind the checkpoint, so that cannot be where it stops
        reaches(&world, &(WalTarget){ WAL_TARGET_IMMEDIATE }, &base, next.lsn, false);
        reaches(&world, &(WalTarget){ WAL_TARGET_LSN, .lsn = base.start }, &base, next.lsn, true);
    }
}

static void a_shutdown_with_nothing_behind_it_has_no_target(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    Base base = cold_base(&world);
    WalName own = wal_name_of(1, base.start, RECORDED_SEGMENT);
    g_autofree uint8_t *cut = g_malloc0(RECORDED_SEGMENT);

    for (uint64_t at = 0; at < world.wal->bytes->len; at += RECORDED_SEGMENT) {
        WalName name = recorded_segment(world.wal, world.wal->start + at);

        if (world.wal->start + at >= wal_segment_start(base.start, RECORDED_SEGMENT))
            world_remove(&world, wal_name_text(&name).text);
    }
    memcpy(cut,
           world.wal->bytes->data + wal_segment_start(base.start, RECORDED_SEGMENT) -
               world.wal->start,
           base.stop % RECORDED_SEGMENT);
    world_put(&world, wal_name_text(&own).text, cut, RECORDED_SEGMENT);
    is_refused(&world, &(WalTarget){ WAL_TARGET_NONE }, 1, BS_ERROR_WAL_GAP, "restore it without");
    is_refused(&world, &(WalTarget){ WAL_TARGET_IMMEDIATE }, 1, BS_ERROR_WAL_GAP,
               "restore it without");
}

/* Without its label a base that was taken of a running server would come back damaged. */
static void a_lost_label_is_no_shutdown(void)
{
    g_auto(RecordedWorld) world = world_new(15);

    save(&world, UINT64_C(0xD00028), UINT64_C(0xD00100), NULL, NULL);
    is_refused(&world, &(WalTarget){ WAL_TARGET_NONE }, 0, BS_ERROR_NOT_FOUND, "backup_label");
}

static void asks_the_history_for_the_way(void)
{
    static const char other[] = "1\t0/1200098\tx\n", early[] = "1\t0/D00050\tx\n";
    g_auto(RecordedWorld) world = world_new(15);
    Recorded all = look_at(&world);

    warm_base(&world, 0, NULL);
    is_refused(&world, &(WalTarget){ WAL_TARGET_NONE }, 2, BS_ERROR_WAL_GAP, "00000002.history");
    world_put(&world, "00000002.history", other, strlen(other));
    is_refused(&world, &(WalTarget){ WAL_TARGET_XID, .xid = all.xid }, 0, BS_ERROR_MISMATCH,
               "two servers");
    world_put(&world, "00000004.history", early, strlen(early));
    is_refused(&world, &(WalTarget){ WAL_TARGET_NONE }, 4, BS_ERROR_WAL_GAP, "leaves timeline 1");
}

static void an_outage_is_no_answer(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    FlakyPlan plan = {
        .call = CALL_GET_WHOLE, .prefix = "wal/", .at = 4, .code = BS_ERROR_TRANSIENT
    };

    warm_base(&world, 0, NULL);
    flaky_store_plan(world.flaky, &plan);
    is_refused(&world, &(WalTarget){ WAL_TARGET_NONE }, 0, BS_ERROR_TRANSIENT, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/reach/stop", finds_the_stop_over_three_timelines);
    g_test_add_func("/reach/newest", takes_the_newest_base_that_can);
    g_test_add_func("/reach/begins-last", takes_the_one_that_begins_last);
    g_test_add_func("/reach/end", refuses_what_is_behind_the_end);
    g_test_add_func("/reach/gap", a_gap_ends_it);
    g_test_add_func("/reach/own", the_base_serves_what_it_holds_itself);
    g_test_add_func("/reach/cold", a_clean_shutdown_is_a_base);
    g_test_add_func("/reach/nothing-behind", a_shutdown_with_nothing_behind_it_has_no_target);
    g_test_add_func("/reach/label", a_lost_label_is_no_shutdown);
    g_test_add_func("/reach/history", asks_the_history_for_the_way);
    g_test_add_func("/reach/outage", an_outage_is_no_answer);
    return g_test_run();
}
