/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgreplay.h"

#include "base/error.h"
#include "codec/hash.h"
#include "source/pgpsql.h"
#include "source/pgscan.h"
#include "source/pgtarget.h"
#include <string.h>

typedef struct {
    Sink base;
    PgUrl *url;
    PgTargetOptions options;
    PgPreview *preview;
    const Cancel *cancel;

    bool opened, ended; /* the one file */
    PgScan *scan;
    Hash *hash;
    uint64_t position;
    PgTarget *target;
    PgPsql *psql;
} ReplaySink;

/* ---- psql ---- */

static bool pass(void *user, const void *data, size_t len, GError **error)
{
    ReplaySink *sink = user;

    return !sink->psql || pg_psql_say(sink->psql, data, len, error);
}

static bool begin(ReplaySink *sink, GError **error)
{
    static const char text[] = "BEGIN;\n";

    sink->psql = pg_psql_open(sink->url, sink->options.recorded, sink->cancel, error);
    return sink->psql && pg_psql_say(sink->psql, text, sizeof text - 1, error);
}

/* Ends the reading of the script. */
static bool looked(ReplaySink *sink, GError **error)
{
    sink->preview->absent = pg_target_is_absent(sink->target);
    if (pg_target_count(sink->target, &sink->preview->objects, error))
        g_set_error_literal(error, BS_ERROR, BS_ERROR_SOFT_SKIP, "only looked at");
    return false;
}

/* Before the first byte: all that can be known is looked at. */
static bool start(ReplaySink *sink, GError **error)
{
    const char *name = json_string_value(json_object_get(sink->options.recorded, "name"));

    if (!pg_url_database(sink->url)) {
        PgUrl *server = sink->url;

        sink->url = pg_url_with_database(server, name ? name : "");
        pg_url_free(server);
    }
    sink->target = pg_target_open(sink->url, NULL, &sink->options, error);
    if (!sink->target || !pg_target_check_room(sink->target, NULL, error))
        return false;
    return sink->preview ? looked(sink, error) : begin(sink, error);
}

/* ---- the stream ---- */

static bool replay_begin(Sink *base, const Entry *entry, void **ret_handle, GError **error)
{
    ReplaySink *sink = (ReplaySink *)base;
    bool dump;

    if (!pg_target_begin(entry, &sink->opened, &dump, error))
        return false;
    *ret_handle = dump ? sink : NULL;
    return true;
}

static bool replay_write(Sink *base, void *handle, uint64_t offset, const void *data, size_t len,
                         GError **error)
{
    ReplaySink *sink = (ReplaySink *)base;

    g_assert(handle == sink && offset >= sink->position);
    if (offset > sink->position) { // a hole of zeros
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "script: a zero byte");
        return false;
    }
    if (!sink->target && !start(sink, error))
        return false;
    hash_update(sink->hash, data, len);
    sink->position += len;
    return pg_scan_feed(sink->scan, data, len, error);
}

/* The bytes were those that were saved. */
static bool is_recorded(ReplaySink *sink, GError **error)
{
    const char *want = json_string_value(json_object_get(sink->options.recorded, "sha256"));
    Id sha256;

    hash_final(sink->hash, &sha256);
    if (want && strcmp(want, id_hex(&sha256).text) == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "the script is not the one that the manifest records (SHA-256 %s instead of %s)",
                id_hex(&sha256).text, want ? want : "none");
    return false;
}

static bool replay_end(Sink *base, void *handle, G_GNUC_UNUSED const Node *node, GError **error)
{
    ReplaySink *sink = (ReplaySink *)base;

    if (!handle)
        return true;
    sink->ended = pg_scan_finish(sink->scan, error) && is_recorded(sink, error);
    return sink->ended;
}

static void replay_abandon(Sink *base, void *handle)
{
    if (handle)
        ((ReplaySink *)base)->ended = false;
}

static bool replay_finish(Sink *base, GError **error)
{
    static const char commit[] = "\nCOMMIT;\n";
    ReplaySink *sink = (ReplaySink *)base;

    if (!sink->ended || !sink->psql) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "there was no whole script to restore");
        return false;
    }
    if (!pg_psql_say(sink->psql, commit, sizeof commit - 1, error) ||
        !pg_psql_end(sink->psql, error))
        return false;
    pg_target_keep(sink->target);
    return pg_target_compare(sink->target, NULL, error) &&
           pg_target_analyze(sink->target, NULL, error);
}

static void replay_free(Sink *base)
{
    ReplaySink *sink = (ReplaySink *)base;

    pg_psql_free(sink->psql); // before the database goes that it may be connected to
    pg_target_free(sink->target);
    pg_scan_free(sink->scan);
    hash_free(sink->hash);
    pg_url_free(sink->url);
    g_free(sink);
}

static const SinkOps replay_ops = {
    .name = "psql",
    .begin = replay_begin,
    .write = replay_write,
    .end = replay_end,
    .abandon = replay_abandon,
    .finish = replay_finish,
    .free = replay_free,
};

/* ---- what a script allows ---- */

static bool refuse(GError **error, const char *what)
{
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "the dump is a script, %s", what);
    return false;
}

bool pg_replay_allows(const PgRestoreRequest *request, GError **error)
{
    if (request->tables || request->schemas)
        return refuse(error, "of which no part can be chosen; restore it into a new database, and "
                             "take from there what is wanted");
    if (request->clean)
        return refuse(error, "which cannot replace what is there (--clean); restore it into a new "
                             "database");
    if (request->no_owner || request->no_acl)
        return refuse(error, "whose owners and rights are as they are (--no-owner, --no-acl)");
    if (request->jobs > 1)
        return refuse(error, "which is run in one transaction (--jobs)");
    return true;
}

Sink *pg_replay_sink_new(const PgRestoreRequest *request, GError **error)
{
    g_autoptr(PgUrl) url =
        pg_replay_allows(request, error) ? pg_url_parse(request->url, error) : NULL;
    ReplaySink *sink;

    if (!url)
        return NULL;
    sink = g_new0(ReplaySink, 1);
    sink->base.ops = &replay_ops;
    sink->url = g_steal_pointer(&url);
    sink->options = pg_restore_target_options(request);
    sink->preview = request->preview;
    sink->cancel = request->cancel;
    sink->hash = hash_new();
    sink->scan = pg_scan_new();
    pg_scan_set_pass(sink->scan, pass, sink);
    return &sink->base;
}
