/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgpassed.h"
#include "base/error.h"
#include "codec/crc32c.h"
#include "pg/walname.h"
#include <string.h>

#define WAL_DIR "pg_wal/"

typedef struct {
    uint64_t size;
    uint32_t crc;
    bool named; /* by the manifest */
} File;

struct PgPassed {
    GHashTable *files; /* path -> File */
    File *file;        /* the one at hand */
    uint32_t segment_size;
    unsigned n_ranges;
    uint64_t n_files, n_bytes;
};

PgPassed *pg_passed_new(uint32_t segment_size)
{
    PgPassed *passed = g_new0(PgPassed, 1);

    passed->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    passed->segment_size = segment_size;
    return passed;
}

void pg_passed_free(PgPassed *passed)
{
    if (!passed)
        return;
    g_hash_table_unref(passed->files);
    g_free(passed);
}

void pg_passed_begin(PgPassed *passed, const char *path)
{
    passed->file = g_new0(File, 1);
    passed->n_files++;
    g_hash_table_insert(passed->files, g_strdup(path), passed->file);
}

void pg_passed_data(PgPassed *passed, const void *data, size_t len)
{
    passed->file->crc = crc32c(passed->file->crc, data, len);
    passed->file->size += len;
    passed->n_bytes += len;
}

bool pg_passed_has(const PgPassed *passed, const char *path)
{
    return g_hash_table_contains(passed->files, path);
}

void pg_passed_counts(const PgPassed *passed, uint64_t *ret_files, uint64_t *ret_bytes)
{
    *ret_files = passed->n_files;
    *ret_bytes = passed->n_bytes;
}

/* The bytes of the checksum lie as in the server's memory, which may be of the other order. */
static bool same_crc(uint32_t got, uint32_t want)
{
    return got == want || got == GUINT32_SWAP_LE_BE(want);
}

static bool on_file(void *user, const ManifestFile *file, GError **error)
{
    PgPassed *passed = user;
    File *got = g_hash_table_lookup(passed->files, file->path);

    if (!got)
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "%s: the server's manifest names it, but it did not come", file->path);
    else if (got->size != file->size)
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "%s: %" G_GUINT64_FORMAT " bytes came; the server's manifest says "
                    "%" G_GUINT64_FORMAT,
                    file->path, got->size, file->size);
    else if (!file->has_crc || !same_crc(got->crc, file->crc))
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "%s: its checksum is not that of the server's manifest; the data was changed "
                    "on its way",
                    file->path);
    else
        return got->named = true;
    return false;
}

/* The segment that holds lsn. Where a timeline ends, the next one's segment holds its last part,
 * too.
 */
static const File *find_segment(const PgPassed *passed, uint32_t timeline, uint64_t lsn)
{
    WalName want = wal_name_of(timeline, lsn, passed->segment_size);
    g_autofree char *path = g_strconcat(WAL_DIR, wal_name_text(&want).text, NULL);
    const File *found = g_hash_table_lookup(passed->files, path);
    GHashTableIter iter;
    gpointer other, file;

    g_hash_table_iter_init(&iter, passed->files);
    while (!found && g_hash_table_iter_next(&iter, &other, &file)) {
        WalName name;

        if (g_str_has_prefix(other, WAL_DIR) &&
            wal_name_parse((const char *)other + strlen(WAL_DIR), &name, NULL) &&
            name.kind == WAL_SEGMENT && name.timeline > timeline && name.high == want.high &&
            name.low == want.low)
            found = file;
    }
    return found;
}

static bool on_range(void *user, const ManifestRange *range, GError **error)
{
    PgPassed *passed = user;

    passed->n_ranges++;
    if (range->timeline == 0 || range->start >= range->end) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "backup_manifest: a range of WAL that is none");
        return false;
    }
    for (uint64_t lsn = wal_segment_start(range->start, passed->segment_size); lsn < range->end;
         lsn += passed->segment_size) {
        const File *segment = find_segment(passed, range->timeline, lsn);
        WalName name = wal_name_of(range->timeline, lsn, passed->segment_size);

        if (segment && segment->size == passed->segment_size)
            continue;
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    WAL_DIR "%s: without it the backup cannot become consistent, and it %s",
                    wal_name_text(&name).text, segment ? "is not whole" : "did not come");
        return false;
    }
    return true;
}

const ManifestReceiver pg_passed_receiver = { on_file, on_range };

bool pg_passed_finish(const PgPassed *passed, GError **error)
{
    GHashTableIter iter;
    gpointer path, file;

    g_hash_table_iter_init(&iter, passed->files);
    while (g_hash_table_iter_next(&iter, &path, &file))
        if (!((const File *)file)->named && !g_str_has_prefix(path, WAL_DIR)) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                        "%s: it came, but the server's manifest does not name it",
                        (const char *)path);
            return false;
        }
    if (passed->n_ranges > 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "backup_manifest: it names no WAL");
    return false;
}
