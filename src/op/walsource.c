/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walsource.h"

#include "base/error.h"
#include "base/log.h"
#include "op/walorigin.h"
#include "op/walstart.h"
#include "repo/config.h"

void wal_source_init(WalSource *source, Repo *repo, const WalReceive *receive, const Cancel *cancel)
{
    *source = (WalSource){
        .repo = repo, .receive = receive, .cancel = cancel, .recreate = receive->recreate
    };
}

void wal_source_disconnect(WalSource *source)
{
    g_clear_pointer(&source->replication, pg_replication_free);
}

void wal_source_done(WalSource *source)
{
    wal_source_disconnect(source);
}

void wal_source_start_clear(WalSourceStart *start)
{
    wal_segment_clear(&start->known);
    g_clear_pointer(&start->stale, g_array_unref);
}

/* ---- which cluster ---- */

static bool is_wanted(const WalSource *source, const PgSystem *system, uint32_t segment_size,
                      int release, GError **error)
{
    uint64_t want =
        source->system.system_id ? source->system.system_id : source->receive->system_id;

    if (want != 0 && want != system->system_id) {
        g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                    "the server is cluster %" G_GUINT64_FORMAT ", not %" G_GUINT64_FORMAT
                    "; nothing of it is stored",
                    system->system_id, want);
        return false;
    }
    if (source->system.system_id == 0 ||
        (source->segment_size == segment_size && source->release == release))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "the server is PostgreSQL %d with segments of %u bytes now; it was PostgreSQL %d "
                "with %u",
                release, segment_size, source->release, source->segment_size);
    return false;
}

bool wal_source_connect(WalSource *source, const PgUrl *url, GError **error)
{
    uint32_t segment_size;
    PgSystem system;
    int release;

    source->replication = pg_replication_connect(url, source->cancel, error);
    if (!source->replication || !pg_replication_identify(source->replication, &system, error) ||
        !pg_replication_segment_size(source->replication, &segment_size, error))
        return false;
    release = pg_replication_version(source->replication) / 10000;
    if (!is_wanted(source, &system, segment_size, release, error))
        return false;
    source->system = system;
    source->segment_size = segment_size;
    source->release = release;
    return true;
}

/* ---- the slot ---- */

static bool load_record(WalSource *source, GError **error)
{
    source->record =
        (WalSlot){ .system_id = source->system.system_id, .slot = source->receive->slot };
    if (!wal_slot_load(source->repo, &source->record, &source->recorded, error))
        return false;
    if (!source->recorded || source->record.release == source->release)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "the server is PostgreSQL %d, but the WAL that is held of this cluster and slot is "
                "of PostgreSQL %d",
                source->release, source->record.release);
    return false;
}

static bool save_record(WalSource *source, GError **error)
{
    source->record.release = source->release;
    source->recorded = wal_slot_save(source->repo, &source->record, error);
    return source->recorded;
}

static bool make_slot(WalSource *source, GError **error)
{
    g_autoptr(GError) failure = NULL;

    source->made = pg_slot_create(source->replication, source->receive->slot, &failure);
    if (source->made || g_error_matches(failure, BS_ERROR, BS_ERROR_EXISTS))
        return pg_slot_read(source->replication, source->receive->slot, &source->slot, error);
    g_propagate_prefixed_error(error, g_steal_pointer(&failure),
                               "replication slot %s: ", source->receive->slot);
    return false;
}

static bool lacks_slot(const WalSource *source, const char *how, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_WAL_GAP, "replication slot %s %s", source->receive->slot,
                how);
    return false;
}

/* Of servers before 15, which only tell when they are asked for the stream. */
static bool ensure_unseen(WalSource *source, GError **error)
{
    return !source->recreate || make_slot(source, error);
}

/*
 * Made when it was never there, which only the record can tell. A slot that was used keeps WAL;
 * when it keeps none, the server has given that up (max_slot_wal_keep_size).
 */
static bool ensure_slot(WalSource *source, GError **error)
{
    const char *name = source->receive->slot;
    PgSlot *slot = &source->slot;

    if (!pg_slot_read(source->replication, name, slot, error))
        return false;
    source->may_skip = source->recreate || !source->recorded;
    if (!source->recorded)
        return make_slot(source, error) && save_record(source, error);
    if (!slot->known)
        return ensure_unseen(source, error);
    if (slot->there && slot->kept != 0)
        return true;
    if (!source->recreate)
        return lacks_slot(
            source, slot->there ? "has lost its WAL (max_slot_wal_keep_size)" : "is gone", error);
    return (!slot->there || pg_slot_drop(source->replication, name, error)) &&
           make_slot(source, error);
}

/* ---- histories ---- */

static bool put_history(WalSource *source, uint32_t timeline, GBytes *content, GError **error)
{
    g_autofree char *name = g_strdup_printf("%08X.history", timeline);
    WalObject object;
    bool was_there;

    return wal_object_init(&object, source->system.system_id, name, error) &&
           wal_object_put(source->repo, &object, g_bytes_get_data(content, NULL),
                          g_bytes_get_size(content), &was_there, NULL, error);
}

/* Durable before any WAL of the timeline is. */
static PgHistory *fetch_history(WalSource *source, uint32_t timeline, GError **error)
{
    g_autoptr(GBytes) content = NULL;
    g_autoptr(PgHistory) history = NULL;

    if (timeline == 1)
        return pg_history_first();
    if (!pg_timeline_history(source->replication, timeline, &content, error))
        return NULL;
    history = pg_history_parse(timeline, g_bytes_get_data(content, NULL), g_bytes_get_size(content),
                               error);
    return history && wal_origin_agrees(source->repo, source->system.system_id, history, error) &&
                   put_history(source, timeline, content, error)
               ? g_steal_pointer(&history)
               : NULL;
}

/* ---- where ---- */

/* What an earlier run has of the segment; a whole one is met when it is stored again. */
static bool find_known(WalSource *source, WalSourceStart *start, GError **error)
{
    WalName name = wal_name_of(start->timeline, start->lsn, source->segment_size);
    g_autoptr(GError) failure = NULL;

    if (!wal_segment_get(source->repo, source->system.system_id, &name, &start->known, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
            return true;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (start->known.whole) {
        wal_segment_clear(&start->known);
        start->known = (WalSegment){ 0 };
    }
    return true;
}

/* An empty list means something only where the repository still is. */
static bool list_held(WalSource *source, GArray **ret_objects, GError **error)
{
    uint64_t size;

    return wal_object_list(source->repo, source->system.system_id, 0, ret_objects, NULL, error) &&
           store_stat(repo_store(source->repo), CONFIG_KEY, &size, error);
}

static void note_begin(WalSource *source, WalStart start)
{
    source->begun = start.lsn;
    source->begun_on = start.timeline;
}

bool wal_source_begin(WalSource *source, WalSourceStart *ret_start, GError **error)
{
    g_auto(WalSourceStart) start = { 0 };
    g_autoptr(PgHistory) history = NULL;
    g_autoptr(GArray) objects = NULL;
    WalStartFrom from = { .segment_size = source->segment_size, .server = source->system.lsn };
    WalStart chosen;

    if (!load_record(source, error) || !list_held(source, &objects, error))
        return false;
    history = fetch_history(source, source->system.timeline, error);
    if (!history)
        return false;
    from.objects = objects;
    from.history = history;
    from.floor = source->record.start;
    note_begin(source, wal_start_choose(&from));
    if (!ensure_slot(source, error))
        return false;
    from.kept = source->slot.kept;
    chosen = wal_start_choose(&from);
    note_begin(source, chosen);
    if (chosen.lsn > source->system.lsn) {
        g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT,
                    "the server's WAL ends at %s, but more is held, up to %s: it is a standby that "
                    "lags, or an older copy of the cluster",
                    lsn_text(source->system.lsn).text, lsn_text(chosen.lsn).text);
        return false;
    }
    start.lsn = chosen.lsn;
    start.timeline = chosen.timeline;
    start.stale = wal_start_stale(objects);
    if (!find_known(source, &start, error))
        return false;
    *ret_start = start;
    start = (WalSourceStart){ 0 };
    return true;
}

bool wal_source_switch(WalSource *source, const PgWalNext *next, WalSourceStart *start,
                       GError **error)
{
    g_autoptr(PgHistory) history = fetch_history(source, next->timeline, error);

    if (!history)
        return false;
    wal_source_start_clear(start);
    *start = (WalSourceStart){
        .lsn = wal_segment_start(next->lsn, source->segment_size),
        .timeline = next->timeline,
        .stale = g_array_new(FALSE, FALSE, sizeof(WalObject)),
    };
    note_begin(source, (WalStart){ .lsn = start->lsn, .timeline = start->timeline });
    return find_known(source, start, error);
}

/* ---- what the server no longer has ---- */

/* From where on it should have WAL. */
static uint64_t behind_gap(const WalSource *source)
{
    return wal_segment_start(source->slot.kept ? source->slot.kept : source->system.lsn,
                             source->segment_size);
}

bool wal_source_pass_over(WalSource *source, const GError *failure)
{
    g_autoptr(GError) ignored = NULL;
    uint64_t behind = behind_gap(source);

    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_WAL_GAP) || !source->may_skip ||
        source->begun == 0 || behind <= source->begun)
        return false;
    source->record.start = behind;
    if (!save_record(source, &ignored))
        return false;
    log_error("WAL is lost; the server no longer has it. Take a new base backup", "from",
              lsn_text(source->begun).text, "to", lsn_text(behind).text, NULL);
    return true;
}

void wal_source_explain(const WalSource *source, GError **failure)
{
    g_autoptr(GError) bare = NULL;
    WalName name;

    if (!g_error_matches(*failure, BS_ERROR, BS_ERROR_WAL_GAP) || source->begun == 0)
        return;
    bare = *failure;
    *failure = NULL;
    name = wal_name_of(source->begun_on, source->begun, source->segment_size);
    g_set_error(failure, BS_ERROR, BS_ERROR_WAL_GAP,
                "%s: what is held ends at %s, before %s, and the server's WAL at %s; between these "
                "WAL may be lost. Start once with --recreate-slot: it goes on with what the server "
                "still has. If that leaves a gap (wal list), no recovery goes past it: take a new "
                "base backup",
                bare->message, lsn_text(source->begun).text, wal_name_text(&name).text,
                lsn_text(source->system.lsn).text);
}
