/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What our readers make of a cluster's files, for test/system/postgres_formats.py to compare with
 * PostgreSQL's own programs.
 *
 *   name SEGMENT-SIZE LSN...              the segment that holds each
 *   control FILE                          what pg_control says
 *   wal SEGMENT-SIZE SYSTEM-ID FILE...    the records of segments in a row, then where they end
 *   search SEGMENT-SIZE SYSTEM-ID START KIND VALUE EXCLUSIVE FILE...    where recovery would stop
 *   pages FIRST-BLOCK FILE                the pages whose checksum does not fit
 *   manifest RELEASE SYSTEM-ID ALGORITHM DIR TIMELINE START END    one for the files in DIR
 */
#include "base/error.h"
#include "base/fs.h"
#include "codec/crc32c.h"
#include "codec/hash.h"
#include "pg/control.h"
#include "pg/manifestwriter.h"
#include "pg/pagecheck.h"
#include "pg/walevent.h"
#include "pg/walname.h"
#include "pg/walreader.h"
#include "pg/walsearch.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static GBytes *load(const char *path)
{
    g_autoptr(GError) error = NULL;
    GBytes *bytes = NULL;

    if (!fs_read_file(path, G_MAXINT32, &bytes, &error))
        g_error("%s", error->message);
    return bytes;
}

static uint64_t number(const char *text)
{
    return g_ascii_strtoull(text, NULL, 10);
}

static uint64_t position(const char *text)
{
    uint64_t lsn;

    if (!lsn_parse(text, &lsn))
        g_error("no LSN: %s", text);
    return lsn;
}

static int print_names(char **argv)
{
    for (char **text = argv + 1; *text; text++) {
        WalName name = wal_name_of(1, position(*text), (uint32_t)number(argv[0]));

        puts(wal_name_text(&name).text);
    }
    return 0;
}

static int print_control(char **argv)
{
    g_autoptr(GBytes) file = load(argv[0]);
    g_autoptr(GError) error = NULL;
    PgControl control;

    if (!pg_control_parse(g_bytes_get_data(file, NULL), g_bytes_get_size(file), &control, &error)) {
        puts(error->message);
        return 1;
    }
    printf("%u\n%u\n%" G_GUINT64_FORMAT "\n%s\n%s\n%s\n%u\n%u\n%u\n%u\n", control.control_version,
           control.catalog_version, control.system_id, pg_state_text(control.state),
           lsn_text(control.checkpoint).text, lsn_text(control.redo).text, control.timeline,
           control.block_size, control.wal_segment_size, control.checksum_version);
    return 0;
}

static void print_record(const WalRecord *record)
{
    g_autoptr(GError) error = NULL;
    WalEvent event;

    if (!wal_event_decode(record, &event, &error))
        g_error("%s", error->message);
    printf("%s %s %u %u %u", lsn_text(record->lsn).text, lsn_text(record->prev).text, record->xid,
           record->rmgr, record->len);
    if (event.kind == WAL_COMMIT || event.kind == WAL_ABORT)
        printf(" %s %u %" G_GINT64_FORMAT, event.kind == WAL_COMMIT ? "commit" : "abort", event.xid,
               event.time_us);
    putchar('\n');
}

typedef bool (*EachRecord)(const WalRecord *record, void *user);

/* Until each() says that it is enough, or to the end, of which error says why. */
static WalReader *walk(char **files, uint32_t size, uint64_t system_id, uint64_t start,
                       EachRecord each, void *user, GError **error)
{
    g_autofree char *first = g_path_get_basename(files[0]);
    g_autoptr(GError) failure = NULL;
    WalStep step = WAL_STEP_MORE;
    WalReader *reader;
    uint64_t lsn;
    WalName name;

    if (!wal_name_parse(first, &name, &failure) || !wal_name_lsn(&name, size, &lsn, &failure))
        g_error("%s", failure->message);
    reader = wal_reader_new(MAX(start, lsn), size, system_id, NULL);
    for (char **path = files; *path && step != WAL_STEP_END; path++, lsn += size) {
        g_autoptr(GBytes) segment = load(*path);
        WalRecord record;

        if (wal_reader_wants(reader) >= lsn + size)
            continue;
        wal_reader_feed(reader, lsn, g_bytes_get_data(segment, NULL), g_bytes_get_size(segment));
        while ((step = wal_reader_next(reader, &record, error)) == WAL_STEP_RECORD)
            if (each(&record, user))
                return reader;
    }
    return reader;
}

static bool print_each(const WalRecord *record, void *user)
{
    (void)user;
    print_record(record);
    return false;
}

static int print_wal(char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(WalReader) reader =
        walk(argv + 2, (uint32_t)number(argv[0]), number(argv[1]), 0, print_each, NULL, &error);

    printf("end %s %s\n", lsn_text(wal_reader_position(reader)).text,
           error ? error->message : "no more");
    return 0;
}

static bool offer(const WalRecord *record, void *user)
{
    g_autoptr(GError) error = NULL;
    WalEvent event;

    if (!wal_event_decode(record, &event, &error))
        g_error("%s", error->message);
    return wal_search_offer(user, record, &event);
}

static WalTarget target_of(const char *kind, const char *value, bool exclusive)
{
    WalTarget target = { .exclusive = exclusive };

    if (g_str_equal(kind, "lsn")) {
        target.kind = WAL_TARGET_LSN;
        target.lsn = position(value);
    } else if (g_str_equal(kind, "time")) {
        target.kind = WAL_TARGET_TIME;
        target.time_us = g_ascii_strtoll(value, NULL, 10);
    } else if (g_str_equal(kind, "xid")) {
        target.kind = WAL_TARGET_XID;
        target.xid = (uint32_t)number(value);
    } else {
        target.kind = WAL_TARGET_NAME;
        target.name = value;
    }
    return target;
}

static int print_search(char **argv)
{
    WalTarget target = target_of(argv[3], argv[4], g_str_equal(argv[5], "1"));
    g_autoptr(GError) error = NULL;
    WalSearch search;

    wal_search_init(&search, &target);
    wal_reader_free(walk(argv + 6, (uint32_t)number(argv[0]), number(argv[1]), position(argv[2]),
                         offer, &search, NULL));
    if (!wal_search_finish(&search, &error)) {
        puts(error->message);
        return 1;
    }
    puts(lsn_text(search.replayed).text);
    return 0;
}

static int print_pages(char **argv)
{
    g_autoptr(GBytes) file = load(argv[1]);
    size_t n = g_bytes_get_size(file) / PG_PAGE_LEN;
    g_autofree PgBadPage *bad = g_new(PgBadPage, n + 1);

    n = pg_pages_check(g_bytes_get_data(file, NULL), n, (uint32_t)number(argv[0]), bad, n);
    for (size_t i = 0; i < n; i++)
        printf("%u %X %X\n", bad[i].block, bad[i].counted, bad[i].stored);
    return 0;
}

/* nftw() hands nothing on to its function. */
static ManifestWriter *writer;
static bool by_sha256;
static size_t root_len;

static int add_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    const char *name = path + root_len + 1;
    g_autoptr(GBytes) file = NULL;
    Id sha256;

    (void)ftw;
    if (type != FTW_F || g_str_has_prefix(name, "pg_wal/") || g_str_equal(name, "backup_manifest"))
        return 0;
    file = load(path);
    hash_bytes(g_bytes_get_data(file, NULL), g_bytes_get_size(file), &sha256);
    return !manifest_writer_add(
        writer,
        &(ManifestLine){
            .path = name,
            .size = (uint64_t)st->st_size,
            .mtime = st->st_mtime,
            .sha256 = by_sha256 ? &sha256 : NULL,
            .crc = crc32c(0, g_bytes_get_data(file, NULL), g_bytes_get_size(file)),
        },
        NULL);
}

static bool print(void *user, const void *data, size_t len, GError **error)
{
    (void)user;
    (void)error;
    return fwrite(data, 1, len, stdout) == len;
}

static int print_manifest(char **argv)
{
    bool done;

    writer = manifest_writer_new(atoi(argv[0]), number(argv[1]), print, NULL);
    by_sha256 = g_str_equal(argv[2], "sha256");
    root_len = strlen(argv[3]);
    done = nftw(argv[3], add_file, 16, FTW_PHYS) == 0 &&
           manifest_writer_add_range(writer, (uint32_t)number(argv[4]), position(argv[5]),
                                     position(argv[6]), NULL) &&
           manifest_writer_finish(writer, NULL);
    manifest_writer_free(writer);
    return !done;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *verb;
        int (*run)(char **argv);
        int min;
    } verbs[] = {
        { "name", print_names, 2 },  { "control", print_control, 1 },
        { "wal", print_wal, 3 },     { "search", print_search, 7 },
        { "pages", print_pages, 2 }, { "manifest", print_manifest, 7 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
        if (argc >= verbs[i].min + 2 && g_str_equal(argv[1], verbs[i].verb))
            return verbs[i].run(argv + 2);
    fputs("formats_driver: see its head for what it takes\n", stderr);
    return 2;
}
