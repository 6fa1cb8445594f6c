/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgrestore.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/hash.h"
#include "source/pgclean.h"
#include "source/pglocks.h"
#include "source/pgrestoring.h"
#include <string.h>
#include <unistd.h>

#define ZEROS_LEN (64u << 10)

typedef struct {
    Sink base;
    PgRestoring restoring;
    bool opened, ended; /* the one file */
    PgDump *dump;
    Hash *hash;
    uint64_t position;
    GByteArray
        *waiting; /* what pg_restore has not got yet: all until it runs, then the last byte */
    bool deaf;    /* pg_restore has closed its input: it has all it wants, or failed */
    char *spool;  /* file that holds the dump, with several jobs */
    int spool_fd;
} RestoreSink;

/* With several jobs it is spooled first. */
static bool start(RestoreSink *sink, GError **error)
{
    if (!pg_restoring_look(&sink->restoring, error))
        return false;
    if (sink->restoring.jobs <= 1)
        return pg_restoring_spawn(&sink->restoring, error);
    sink->spool = pg_restoring_temp_file("spool", &sink->spool_fd, error);
    sink->restoring.from = sink->spool;
    return sink->spool != NULL;
}

/* ---- the stream ---- */

static bool hand_over(RestoreSink *sink, const void *data, size_t len, GError **error)
{
    if (sink->spool)
        return fs_write_all(sink->spool_fd, data, len, sink->spool, error);
    if (sink->deaf)
        return true;
    if (!child_write(sink->restoring.child, sink->restoring.cancel, data, len, &sink->deaf, error))
        return false;
    // with a choice it may just have all it wants; otherwise it says why it left
    return !sink->deaf || sink->restoring.chosen || pg_restoring_wait(&sink->restoring, error);
}

/* All but the last byte. */
static bool pass_on(RestoreSink *sink, const void *data, size_t len, GError **error)
{
    const uint8_t *bytes = data;

    if (!hand_over(sink, sink->waiting->data, sink->waiting->len, error) ||
        !hand_over(sink, bytes, len - 1, error))
        return false;
    g_byte_array_set_size(sink->waiting, 0);
    g_byte_array_append(sink->waiting, bytes + len - 1, 1);
    return true;
}

static bool read_on(RestoreSink *sink, const void *data, size_t len, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (pgdump_feed(sink->dump, data, len, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_VERSION))
        g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                    "%s; update Backstay, or hand the file to pg_restore of that release "
                    "(backstay dump SNAPSHOT FILE | pg_restore ...)",
                    failure->message);
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool take(RestoreSink *sink, const void *data, size_t len, GError **error)
{
    bool started = pgdump_toc_complete(sink->dump);
    g_autoptr(GByteArray) first = NULL;

    if (len == 0)
        return true;
    if (!cancel_check(sink->restoring.cancel, error) || !read_on(sink, data, len, error))
        return false;
    hash_update(sink->hash, data, len);
    sink->position += len;
    if (started)
        return pass_on(sink, data, len, error);
    g_byte_array_append(sink->waiting, data, (guint)len);
    if (!pgdump_toc_complete(sink->dump))
        return true;
    first = g_steal_pointer(&sink->waiting);
    sink->waiting = g_byte_array_new();
    if (sink->restoring.options.clean)
        pg_clean_prepare(sink->dump, first->data, first->len);
    if (sink->restoring.jobs > 1)
        first = pg_locks_complete(sink->dump, g_steal_pointer(&first));
    return start(sink, error) && pass_on(sink, first->data, first->len, error);
}

static bool take_zeros(RestoreSink *sink, uint64_t until, GError **error)
{
    static const uint8_t zeros[ZEROS_LEN];

    while (sink->position < until)
        if (!take(sink, zeros, (size_t)MIN(until - sink->position, ZEROS_LEN), error))
            return false;
    return true;
}

static bool restore_begin(Sink *base, const Entry *entry, void **ret_handle, GError **error)
{
    RestoreSink *sink = (RestoreSink *)base;
    bool dump;

    if (!pg_target_begin(entry, &sink->opened, &dump, error))
        return false;
    *ret_handle = dump ? sink : NULL;
    return true;
}

static bool restore_write(Sink *base, void *handle, uint64_t offset, const void *data, size_t len,
                          GError **error)
{
    RestoreSink *sink = (RestoreSink *)base;

    g_assert(handle == sink && offset >= sink->position);
    return take_zeros(sink, offset, error) && take(sink, data, len, error);
}

/* The bytes were those that the backup saw. */
static bool check_recorded(RestoreSink *sink, GError **error)
{
    const char *want =
        json_string_value(json_object_get(sink->restoring.options.recorded, "sha256"));
    Id sha256;

    hash_final(sink->hash, &sha256);
    if (!want || strcmp(want, id_hex(&sha256).text) == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "the dump is not the one that the manifest records (SHA-256 %s instead of %s)",
                id_hex(&sha256).text, want);
    return false;
}

static bool restore_end(Sink *base, void *handle, const Node *node, GError **error)
{
    RestoreSink *sink = (RestoreSink *)base;

    if (!handle)
        return true;
    if (node && !take_zeros(sink, node->size, error))
        return false;
    sink->ended = pgdump_finish(sink->dump, error) && check_recorded(sink, error);
    return sink->ended;
}

static void restore_abandon(Sink *base, void *handle)
{
    RestoreSink *sink = (RestoreSink *)base;

    if (handle)
        sink->ended = false;
}

static bool run_to_end(RestoreSink *sink, GError **error)
{
    if (!hand_over(sink, sink->waiting->data, sink->waiting->len, error))
        return false;
    if (sink->spool && !pg_restoring_spawn(&sink->restoring, error))
        return false;
    child_close_stdin(sink->restoring.child);
    return pg_restoring_wait(&sink->restoring, error);
}

static bool restore_finish(Sink *base, GError **error)
{
    RestoreSink *sink = (RestoreSink *)base;

    if (!sink->ended) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "no whole dump came to be restored");
        return false;
    }
    return run_to_end(sink, error) && pg_restoring_prove(&sink->restoring, error);
}

static void restore_free(Sink *base)
{
    RestoreSink *sink = (RestoreSink *)base;

    pg_restoring_done(&sink->restoring);
    pgdump_free(sink->dump);
    hash_free(sink->hash);
    g_clear_pointer(&sink->waiting, g_byte_array_unref);
    fs_clear_fd(&sink->spool_fd);
    if (sink->spool)
        (void)unlink(sink->spool);
    g_free(sink->spool);
    g_free(sink);
}

static const SinkOps restore_ops = {
    .name = "pg_restore",
    .begin = restore_begin,
    .write = restore_write,
    .end = restore_end,
    .abandon = restore_abandon,
    .finish = restore_finish,
    .free = restore_free,
};

Sink *pg_restore_sink_new(const PgRestoreRequest *request, GError **error)
{
    RestoreSink *sink = g_new0(RestoreSink, 1);

    sink->base.ops = &restore_ops;
    sink->spool_fd = -1;
    if (!pg_restoring_init(&sink->restoring, request, error)) {
        restore_free(&sink->base);
        return NULL;
    }
    sink->dump = pgdump_new();
    sink->restoring.dump = sink->dump;
    sink->hash = hash_new();
    sink->waiting = g_byte_array_new();
    return &sink->base;
}
