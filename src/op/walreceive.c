/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walreceive.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "op/walfollow.h"
#include "op/walsource.h"

#include <pthread.h>
#include <stdatomic.h>

#define PAUSE_MS     1000
#define PAUSE_MAX_MS 30000
/* For the last part, after a signal; service managers wait for a minute and a half. */
#define LAST_MS  30000
#define GUARD_MS 100

typedef struct {
    const WalReceive *receive;
    const PgUrl *url;
    const Cancel *stop; /* begin to end */
    Cancel *give_up;    /* of the repository: end now */
    OpenRepo open;
    WalSource source;
    WalStorer *storer;   /* since the first connection */
    _Atomic bool saving; /* there is something to store before the end */
    atomic_bool done;
    bool heard; /* of the server, on the last connection */
    pthread_t guard;
} Receiver;

static void tell(const Receiver *receiver, WalReceiveEvent event)
{
    event.system_id = receiver->source.system.system_id;
    receiver->receive->event(&event, receiver->receive->user);
}

static void tell_stored(const WalStored *stored, void *user)
{
    tell(user, (WalReceiveEvent){ .kind = WAL_RECEIVE_STORED, .stored = stored });
}

/* ---- the guard ---- */

/* A signal ends what the repository is asked for, at once or, where a last part is on its way, when
 * that has had its time. */
static void *guard_main(void *arg)
{
    Receiver *receiver = arg;

    while (!atomic_load(&receiver->done)) {
        if (cancel_is_set(receiver->stop) &&
            (!atomic_load(&receiver->saving) || cancel_age_ms(receiver->stop) > LAST_MS))
            cancel_set(receiver->give_up);
        clock_sleep_ms(GUARD_MS);
    }
    return NULL;
}

/* ---- one connection ---- */

/* All that was handed over is durable, or nobody waits any longer. */
static bool drain(Receiver *receiver, GError **error)
{
    WalStorerState state = { 0 };
    WalStored stored;
    bool ok;

    while ((ok = wal_storer_state(receiver->storer, &state, error)) && !state.idle)
        clock_sleep_ms(GUARD_MS / 10);
    while (wal_storer_next(receiver->storer, &stored))
        tell_stored(&stored, receiver);
    return ok;
}

static bool make_storer(Receiver *receiver, GError **error)
{
    if (!receiver->storer)
        receiver->storer = wal_storer_new(receiver->open.repo, receiver->source.system.system_id,
                                          receiver->source.segment_size, receiver->give_up, error);
    return receiver->storer != NULL;
}

static bool start_stream(const Receiver *receiver, const WalFollow *of, GError **error)
{
    GError *failure = NULL;

    if (pg_wal_start(of->replication, receiver->receive->slot, of->start, of->timeline, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        failure->code = BS_ERROR_WAL_GAP; // the slot, which was there before
    g_propagate_error(error, failure);
    return false;
}

/* One timeline's stream, to its end. */
static bool follow(Receiver *receiver, const WalSourceStart *start, PgWalNext *ret_next,
                   GError **error)
{
    const bool known = start->known.content != NULL;
    WalFollow of = {
        .replication = receiver->source.replication,
        .storer = receiver->storer,
        .cancel = receiver->stop,
        .timeline = start->timeline,
        .segment_size = receiver->source.segment_size,
        .start = start->lsn,
        .known = known ? &start->known : NULL,
        .partial_ms = receiver->receive->partial_ms,
        .stored = tell_stored,
        .user = receiver,
    };
    bool heard = false, ok;

    wal_storer_go_on(receiver->storer, &start->known.object);
    wal_storer_add_stale(receiver->storer, start->stale);
    if (!start_stream(receiver, &of, error))
        return false;
    tell(receiver,
         (WalReceiveEvent){ WAL_RECEIVE_STARTED, .timeline = of.timeline, .lsn = of.start });
    atomic_store(&receiver->saving, true);
    ok = wal_follow(&of, &heard, ret_next, error);
    receiver->heard |= heard;
    receiver->source.recreate &= !heard;
    // what has come is stored before anything is asked of the repository again
    ok = drain(receiver, ok ? error : NULL) && ok;
    atomic_store(&receiver->saving, false);
    return ok;
}

/* Timeline after timeline, until the connection ends. */
static bool run_connection(Receiver *receiver, GError **error)
{
    g_auto(WalSourceStart) start = { 0 };
    PgWalNext next;

    if (!wal_source_connect(&receiver->source, receiver->url, error) ||
        !make_storer(receiver, error) || !wal_source_begin(&receiver->source, &start, error))
        return false;
    if (receiver->source.made)
        tell(receiver, (WalReceiveEvent){ WAL_RECEIVE_SLOT, .lsn = receiver->source.slot.kept });
    receiver->source.made = false;
    for (;;) {
        if (!follow(receiver, &start, &next, error))
            return false;
        if (cancel_is_set(receiver->stop))
            return true;
        if (next.timeline == 0) {
            g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE,
                        "server: it has ended the stream; it shuts down");
            return false;
        }
        if (!wal_source_switch(&receiver->source, &next, &start, error))
            return false;
        tell(receiver,
             (WalReceiveEvent){ WAL_RECEIVE_TIMELINE, .timeline = next.timeline, .lsn = next.lsn });
    }
}

/* ---- again and again ---- */

static bool is_final(const Receiver *receiver, const GError *failure, bool first)
{
    static const int codes[] = { BS_ERROR_MISMATCH,    BS_ERROR_CORRUPT, BS_ERROR_USAGE,
                                 BS_ERROR_UNSUPPORTED, BS_ERROR_VERSION, BS_ERROR_WAL_GAP,
                                 BS_ERROR_NO_REPO };

    // somebody else uses the slot: perhaps our own connection, which the server has not missed yet
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_TRANSIENT))
        return receiver->receive->once;
    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
        if (g_error_matches(failure, BS_ERROR, codes[i]))
            return true;
    return first || receiver->receive->once;
}

static bool run(Receiver *receiver, GError **error)
{
    int64_t pause_ms = PAUSE_MS;

    for (;;) {
        g_autoptr(GError) failure = NULL;
        g_autofree char *wait = NULL;

        receiver->heard = false;
        if (run_connection(receiver, &failure) || cancel_is_set(receiver->stop)) {
            wal_source_disconnect(&receiver->source);
            return receiver->storer == NULL || drain(receiver, error);
        }
        wal_source_disconnect(&receiver->source);
        if (wal_source_pass_over(&receiver->source, failure))
            continue;
        if (is_final(receiver, failure, receiver->storer == NULL)) {
            wal_source_explain(&receiver->source, &failure);
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        pause_ms = receiver->heard ? PAUSE_MS : MIN(2 * pause_ms, PAUSE_MAX_MS);
        wait = g_strdup_printf("%" G_GINT64_FORMAT, pause_ms / 1000);
        log_warn("WAL stream lost; connecting again", "error", failure->message, "seconds", wait,
                 NULL);
        (void)cancel_sleep(receiver->stop, pause_ms, NULL);
    }
}

static bool check_slot_name(const char *name, GError **error)
{
    if (pg_slot_name_valid(name))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "\"%s\" is no name of a replication slot: at most %d lower-case letters, digits "
                "and underscores",
                name, PG_SLOT_NAME_MAX);
    return false;
}

static void receiver_done(Receiver *receiver)
{
    wal_storer_free(receiver->storer);
    wal_source_done(&receiver->source);
    open_done(&receiver->open);
}

bool op_wal_receive(const Settings *settings, const char *location, const WalReceive *receive,
                    const Cancel *stop, GError **error)
{
    g_autoptr(PgUrl) url =
        check_slot_name(receive->slot, error) ? pg_url_parse(location, error) : NULL;
    Receiver receiver = { .receive = receive, .url = url, .stop = stop };
    int failure;
    bool ok;

    if (!url)
        return false;
    receiver.give_up = cancel_new();
    failure = pthread_create(&receiver.guard, NULL, guard_main, &receiver);
    if (failure != 0) {
        cancel_free(receiver.give_up);
        bs_error_errno(error, failure, "pthread_create");
        return false;
    }
    ok = open_repo_using(settings, OPEN_UNLOCKED, MIRRORS_WRITE, true, receiver.give_up,
                         &receiver.open, error);
    if (ok) {
        wal_source_init(&receiver.source, receiver.open.repo, receive, stop);
        ok = run(&receiver, error);
    }
    if (!ok) // what is still being tried has no meaning any more
        cancel_set(receiver.give_up);
    receiver_done(&receiver);
    atomic_store(&receiver.done, true);
    (void)pthread_join(receiver.guard, NULL);
    cancel_free(receiver.give_up);
    return ok;
}
