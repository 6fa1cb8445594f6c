/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walfollow.h"

#include "base/clock.h"
#include "base/error.h"
#include "pg/walpage.h"

#include <poll.h>
#include <string.h>

/* The server ends a stream that it hears nothing of for wal_sender_timeout, by default a minute. */
#define TELL_MS   2000
#define ANSWER_MS 500 /* to a server that waits for what is not durable yet */
/* A server that has nothing to say is asked; one that does not answer is gone. */
#define ASK_MS    30000
#define SILENT_MS 90000
#define WAIT_MS   500 /* that cancel is asked again after */

typedef struct {
    const WalFollow *of;
    uint8_t *buffer;   /* of the segment that is being filled; NULL: none is begun */
    uint64_t begin;    /* LSN of its first byte */
    uint64_t received; /* LSN: all before has come */
    uint64_t parted;   /* LSN: all before is in parts, handed over or known */
    uint64_t durable, told_durable;
    PgFrame frame; /* what of it has no room yet; len 0: nothing */
    int64_t told_at_ms, parted_at_ms, heard_at_ms;
    bool reply; /* the server wants to hear */
    bool heard;
} Follower;

/* ---- what has come ---- */

static WalPiece piece_of(const Follower *follower)
{
    return (WalPiece){ follower->of->timeline, follower->begin, follower->buffer,
                       (size_t)(follower->received - follower->begin) };
}

/* What an earlier run stored of this segment must be what the server has. */
static bool compare_known(const Follower *follower, size_t n, GError **error)
{
    const WalSegment *known = follower->of->known;
    uint64_t end = follower->received + n;
    const uint8_t *bytes;

    if (!known || follower->received >= known->end)
        return true;
    bytes = g_bytes_get_data(known->content, NULL);
    if (memcmp(bytes + (follower->received - known->begin), follower->frame.data,
               (size_t)(MIN(end, known->end) - follower->received)) == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "%s: the server's WAL is not what was received before; nothing was replaced. It "
                "lost WAL that it had sent, or it is another copy of this cluster. Take a new base "
                "backup; archiving can go on from the next timeline",
                wal_object_key(&known->object).text);
    return false;
}

/* As much of the frame as there is room for. */
static bool absorb(Follower *follower, GError **error)
{
    const uint32_t size = follower->of->segment_size;
    PgFrame *frame = &follower->frame;

    while (frame->len > 0) {
        size_t n, at = wal_segment_offset(follower->received, size);

        if (!follower->buffer) {
            follower->buffer = wal_storer_take(follower->of->storer);
            if (!follower->buffer)
                return true;
            follower->begin = follower->received;
        }
        n = MIN(frame->len, size - at);
        if (!compare_known(follower, n, error))
            return false;
        memcpy(follower->buffer + at, frame->data, n);
        frame->data += n;
        frame->len -= n;
        follower->received += n;
        if (at + n == size) {
            WalPiece piece = piece_of(follower);

            wal_storer_put_whole(follower->of->storer, &piece);
            follower->buffer = NULL;
        }
    }
    return true;
}

static bool take_frame(Follower *follower, const PgFrame *frame, GError **error)
{
    follower->heard = true;
    follower->heard_at_ms = clock_monotonic_ms();
    if (frame->kind == PG_FRAME_KEEPALIVE) {
        follower->reply |= frame->reply;
        return true;
    }
    if (frame->begin != follower->received) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "server: it sends WAL at %s instead of %s",
                    lsn_text(frame->begin).text, lsn_text(follower->received).text);
        return false;
    }
    follower->frame = *frame;
    return absorb(follower, error);
}

/* ---- what is handed over and told ---- */

static bool has_new_part(const Follower *follower)
{
    return follower->buffer && follower->received > follower->parted &&
           follower->received - follower->begin >= WAL_PAGE_LONG;
}

static void put_part(Follower *follower, const WalStorerState *state)
{
    const int64_t now_ms = clock_monotonic_ms();
    bool due = follower->reply || (follower->of->partial_ms > 0 &&
                                   now_ms - follower->parted_at_ms >= follower->of->partial_ms);
    WalPiece piece = piece_of(follower);

    if (!due || state->part_waits || !has_new_part(follower))
        return;
    wal_storer_put_part(follower->of->storer, &piece);
    follower->parted = follower->received;
    follower->parted_at_ms = now_ms;
}

static void note_durable(Follower *follower, const WalStorerState *state)
{
    const WalSegment *known = follower->of->known;
    WalStored stored;

    while (wal_storer_next(follower->of->storer, &stored))
        follower->of->stored(&stored, follower->of->user);
    // the known part is durable, but counts when the server was seen to have the same
    if (known && follower->received >= known->end)
        follower->durable = MAX(follower->durable, known->end);
    if (state->timeline == follower->of->timeline)
        follower->durable = MAX(follower->durable, state->durable);
}

static bool tell(Follower *follower, GError **error)
{
    const int64_t now_ms = clock_monotonic_ms(), since_ms = now_ms - follower->told_at_ms;
    const bool all = follower->durable == follower->received;
    PgProgress progress = {
        .received = follower->received,
        .durable = follower->durable,
        .reply = now_ms - follower->heard_at_ms > ASK_MS,
    };

    if (follower->durable == follower->told_durable && since_ms < TELL_MS &&
        !(follower->reply && (all || since_ms >= ANSWER_MS)))
        return true;
    follower->told_at_ms = now_ms;
    follower->told_durable = follower->durable;
    follower->reply = follower->reply && !all;
    return pg_wal_tell(follower->of->replication, &progress, error);
}

/* While there is no room nothing is read, so nothing can be heard. */
static bool check_silence(Follower *follower, GError **error)
{
    if (follower->frame.len > 0)
        follower->heard_at_ms = clock_monotonic_ms();
    if (clock_monotonic_ms() - follower->heard_at_ms < SILENT_MS)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE, "server: it has been silent for %d seconds",
                SILENT_MS / 1000);
    return false;
}

/* ---- the loop ---- */

static int wait_ms(const Follower *follower)
{
    int64_t wait = follower->reply ? ANSWER_MS : WAIT_MS;

    if (follower->of->partial_ms > 0 && has_new_part(follower))
        wait = MIN(wait, follower->parted_at_ms + follower->of->partial_ms - clock_monotonic_ms());
    return (int)MAX(wait, 1);
}

static void await_room(const Follower *follower)
{
    struct pollfd room = { .fd = wal_storer_wake_fd(follower->of->storer), .events = POLLIN };

    (void)poll(&room, 1, WAIT_MS);
}

/* One message, or a while without one. *ret_ended: there will be no more. */
static bool read_some(Follower *follower, bool *ret_ended, GError **error)
{
    PgFrame frame;

    if (follower->frame.len > 0) {
        await_room(follower);
        return absorb(follower, error);
    }
    switch (pg_wal_next(follower->of->replication, wal_storer_wake_fd(follower->of->storer),
                        wait_ms(follower), &frame, error)) {
    case PG_WAL_FRAME:
        return take_frame(follower, &frame, error);
    case PG_WAL_NOTHING:
        return true;
    case PG_WAL_END:
        *ret_ended = true;
        return true;
    case PG_WAL_FAILED:
        break;
    }
    return false;
}

static bool follow(Follower *follower, GError **error)
{
    bool ended = false;

    while (!ended && !cancel_is_set(follower->of->cancel)) {
        WalStorerState state;

        if (!wal_storer_state(follower->of->storer, &state, error))
            return false;
        note_durable(follower, &state);
        put_part(follower, &state);
        if (!tell(follower, error) || !check_silence(follower, error) ||
            !read_some(follower, &ended, error))
            return false;
    }
    return true;
}

/* What has come is worth keeping, whatever became of the stream: the server may never come back. */
static void hand_over(Follower *follower)
{
    WalPiece piece = piece_of(follower);

    if (!follower->buffer)
        return;
    if (has_new_part(follower))
        wal_storer_put_part(follower->of->storer, &piece);
    wal_storer_give(follower->of->storer, follower->buffer);
    follower->buffer = NULL;
}

/* A server that is there learns how far it need not send again. */
static void tell_last(Follower *follower)
{
    WalStorerState state = { 0 };

    while (!state.idle && wal_storer_state(follower->of->storer, &state, NULL)) {
        note_durable(follower, &state);
        if (!state.idle)
            await_room(follower);
        if (!tell(follower, NULL))
            return;
    }
    follower->told_at_ms = 0;
    (void)tell(follower, NULL);
}

bool wal_follow(const WalFollow *of, bool *ret_heard, PgWalNext *ret_next, GError **error)
{
    Follower follower = {
        .of = of,
        .begin = of->start,
        .received = of->start,
        .parted = of->known ? of->known->end : of->start,
        .durable = of->start,
        .parted_at_ms = clock_monotonic_ms(),
        .heard_at_ms = clock_monotonic_ms(),
    };
    bool ok = follow(&follower, error);

    hand_over(&follower);
    *ret_heard = follower.heard;
    *ret_next = (PgWalNext){ 0 };
    if (!ok)
        return false;
    if (!cancel_is_set(of->cancel))
        return pg_wal_end(of->replication, ret_next, error);
    tell_last(&follower);
    return true;
}
