/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walpusher.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "codec/hash.h"
#include "op/walahead.h"
#include "op/walready.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>

/* Bytes of files that are worked on at once; each takes up to six times as much memory. A larger
 * segment goes alone. */
#define CONTENT_MAX (48u * 1024 * 1024)
#define JOBS_MAX    32u

typedef struct {
    WalAsk ask;
    char *name;
    WalAnswer answer;
    void *user;
} Asked;

struct WalPusher {
    Keeper *keeper;
    WalAhead *ahead;
    pthread_mutex_t lock;
    pthread_cond_t work, room;
    GQueue asked; /* of Asked */
    bool look;    /* there may be something to do ahead */
    bool closed;
    uint64_t content; /* bytes of files that are worked on */
    unsigned n;
    pthread_t threads[JOBS_MAX];
};

static void asked_free(Asked *asked)
{
    fs_clear_fd(&asked->ask.file);
    fs_clear_fd(&asked->ask.pg_wal);
    g_free(asked->name);
    g_free(asked);
}

/* ---- memory ---- */

static void take_room(WalPusher *pusher, uint64_t len)
{
    pthread_mutex_lock(&pusher->lock);
    while (pusher->content > 0 && pusher->content + len > CONTENT_MAX)
        pthread_cond_wait(&pusher->room, &pusher->lock);
    pusher->content += len;
    pthread_mutex_unlock(&pusher->lock);
}

static void give_room(WalPusher *pusher, uint64_t len)
{
    pthread_mutex_lock(&pusher->lock);
    pusher->content -= len;
    pthread_cond_broadcast(&pusher->room);
    pthread_mutex_unlock(&pusher->lock);
}

/* ---- one file ---- */

typedef struct {
    WalFile file;
    WalIdentity identity;
    uint64_t room; /* that was taken for it */
} Input;

static void input_done(WalPusher *pusher, Input *input)
{
    wal_file_clear(&input->file);
    give_room(pusher, input->room);
}

/* Also after a failure the caller ends it. */
static bool input_read(WalPusher *pusher, int fd, const WalPlace *place, Input *input,
                       GError **error)
{
    WalIdentity identity;

    *input = (Input){ .file.name = place->name };
    if (!wal_identity_of(fd, &identity, error))
        return false;
    input->room = MIN(identity.len, WAL_SEGMENT_MAX);
    take_room(pusher, input->room);
    return wal_input_read(fd, place->pg_wal, &input->file, &input->identity, error);
}

static bool check_cluster(WalFile *file, uint64_t system_id, GError **error)
{
    if (!wal_file_check(file, error) || !wal_file_settle(file, system_id, error))
        return false;
    if (file->system_id != 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "nothing says which cluster it is of");
    return false;
}

/* What the file itself is to blame for says nothing about the repository. */
static bool is_of_the_file(const GError *failure)
{
    return g_error_matches(failure, BS_ERROR, BS_ERROR_MISMATCH) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_USAGE);
}

static bool put(WalPusher *pusher, const WalFile *file, WalPushed *ret_pushed, GError **error)
{
    g_autoptr(GError) failure = NULL;
    KeptRepo *kept;
    bool ok;

    if (!keeper_take(pusher->keeper, &kept, error))
        return false;
    ok = wal_file_put(kept_open(kept), file, ret_pushed, &failure);
    if (!ok && !is_of_the_file(failure)) {
        keeper_give(pusher->keeper, kept, failure);
        wal_ahead_forget(pusher->ahead);
    } else {
        keeper_give(pusher->keeper, kept, NULL);
    }
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    return ok;
}

/* ---- what is asked for ---- */

/* Whether the file is the one that is durable already. */
static bool is_durable(WalPusher *pusher, const Asked *asked, const WalPlace *place,
                       const WalDurable *durable)
{
    WalIdentity identity;
    Input input;
    bool same;
    Id sha256;

    if (!wal_identity_of(asked->ask.file, &identity, NULL))
        return false;
    if (wal_identity_same(&identity, &durable->identity))
        return true;
    same = input_read(pusher, asked->ask.file, place, &input, NULL);
    if (same) {
        hash_bytes(g_bytes_get_data(input.file.content, NULL), g_bytes_get_size(input.file.content),
                   &sha256);
        same = id_equal(&sha256, &durable->sha256);
    }
    input_done(pusher, &input);
    return same;
}

static bool push_now(WalPusher *pusher, const Asked *asked, const WalPlace *place,
                     WalPushed *ret_pushed, GError **error)
{
    Input input;
    bool ok = input_read(pusher, asked->ask.file, place, &input, error) &&
              check_cluster(&input.file, place->system_id, error) &&
              put(pusher, &input.file, ret_pushed, error);

    input_done(pusher, &input);
    return ok;
}

static bool is_free(const WalPlace *place, void *user)
{
    WalPusher *pusher = user;
    WalObject object;
    KeptRepo *kept;
    bool absent;

    if (!wal_object_init(&object, place->system_id, wal_name_text(&place->name).text, NULL) ||
        !keeper_take(pusher->keeper, &kept, NULL))
        return false;
    absent = wal_object_is_absent(kept_open(kept)->repo, &object);
    keeper_give(pusher->keeper, kept, NULL);
    return absent;
}

static bool push_asked(WalPusher *pusher, const Asked *asked, WalPushed *ret_pushed, GError **error)
{
    WalPlace place = { .pg_wal = asked->ask.pg_wal, .system_id = asked->ask.system_id };
    WalDurable durable;
    bool claimed;

    if (!wal_name_parse(asked->name, &place.name, error))
        return false;
    claimed = wal_ahead_claim(pusher->ahead, &place, &durable) &&
              is_durable(pusher, asked, &place, &durable);
    if (wal_ahead_plan(pusher->ahead, &place, claimed, is_free, pusher)) {
        pthread_mutex_lock(&pusher->lock);
        pusher->look = true;
        pthread_cond_broadcast(&pusher->work);
        pthread_mutex_unlock(&pusher->lock);
    }
    if (claimed) {
        *ret_pushed = durable.pushed;
        return true;
    }
    return push_now(pusher, asked, &place, ret_pushed, error);
}

static void answer_asked(WalPusher *pusher, Asked *asked)
{
    g_autoptr(GError) failure = NULL;
    WalPushed pushed;

    if (push_asked(pusher, asked, &pushed, &failure)) {
        asked->answer(&pushed, NULL, asked->user);
    } else {
        g_prefix_error(&failure, "%s: ", asked->name);
        asked->answer(NULL, failure, asked->user);
    }
    asked_free(asked);
}

/* ---- what nobody has asked for yet ---- */

static bool push_ahead(WalPusher *pusher, int fd, const WalPlace *place, WalDurable *ret_durable,
                       GError **error)
{
    Input input;
    bool ok = input_read(pusher, fd, place, &input, error) &&
              check_cluster(&input.file, place->system_id, error);

    if (ok && !wal_ready_is(place->pg_wal, &place->name)) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "it does not wait any more");
        ok = false;
    }
    if (ok) {
        ret_durable->identity = input.identity;
        hash_bytes(g_bytes_get_data(input.file.content, NULL), g_bytes_get_size(input.file.content),
                   &ret_durable->sha256);
        ok = put(pusher, &input.file, &ret_durable->pushed, error);
    }
    input_done(pusher, &input);
    return ok;
}

/* Whoever asks for it later is told why it fails. */
static void look_ahead(WalPusher *pusher, WalAheadItem *item)
{
    const WalPlace *place = wal_ahead_place(item);
    WalNameText name = wal_name_text(&place->name);
    fs_autoclose int fd =
        openat(place->pg_wal, name.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    g_autoptr(GError) failure = NULL;
    WalDurable durable = { 0 };
    bool ok = fd >= 0 && push_ahead(pusher, fd, place, &durable, &failure);

    if (!ok)
        log_debug("not archived ahead", "name", name.text, "why",
                  failure ? failure->message : "cannot be opened", NULL);
    wal_ahead_end(pusher->ahead, item, ok ? &durable : NULL);
}

/* ---- threads ---- */

/* Waits for work: what is asked for comes first. Both NULL: that was all. */
static void next(WalPusher *pusher, Asked **ret_asked, WalAheadItem **ret_item)
{
    *ret_asked = NULL;
    *ret_item = NULL;
    pthread_mutex_lock(&pusher->lock);
    for (;;) {
        *ret_asked = g_queue_pop_head(&pusher->asked);
        if (*ret_asked || pusher->closed)
            break;
        if (pusher->look) {
            *ret_item = wal_ahead_begin(pusher->ahead);
            if (*ret_item)
                break;
            pusher->look = false;
        }
        pthread_cond_wait(&pusher->work, &pusher->lock);
    }
    pthread_mutex_unlock(&pusher->lock);
}

static void *work(void *user)
{
    WalPusher *pusher = user;
    WalAheadItem *item;
    Asked *asked;

    for (;;) {
        next(pusher, &asked, &item);
        if (asked)
            answer_asked(pusher, asked);
        else if (item)
            look_ahead(pusher, item);
        else
            return NULL;
    }
}

WalPusher *wal_pusher_new(Keeper *keeper, unsigned jobs)
{
    WalPusher *pusher = g_new0(WalPusher, 1);

    // As large as a segment, buffers would otherwise come from the heaps of the threads once one
    // was freed, and stay there: 64 segments with 8 jobs took 390 to 470 MiB, with this 200, no
    // slower.
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 20);
    pusher->keeper = keeper;
    pusher->ahead = wal_ahead_new();
    pthread_mutex_init(&pusher->lock, NULL);
    pthread_cond_init(&pusher->work, NULL);
    pthread_cond_init(&pusher->room, NULL);
    g_queue_init(&pusher->asked);
    for (jobs = MIN(jobs, JOBS_MAX); pusher->n < jobs; pusher->n++)
        if (pthread_create(&pusher->threads[pusher->n], NULL, work, pusher) != 0)
            break;
    if (pusher->n == 0)
        g_error("no thread can be started");
    return pusher;
}

void wal_pusher_ask(WalPusher *pusher, const WalAsk *ask, WalAnswer answer, void *user)
{
    Asked *asked = g_new0(Asked, 1);

    asked->ask = *ask;
    asked->name = g_strdup(ask->name);
    asked->answer = answer;
    asked->user = user;
    pthread_mutex_lock(&pusher->lock);
    g_queue_push_tail(&pusher->asked, asked);
    pthread_cond_signal(&pusher->work);
    pthread_mutex_unlock(&pusher->lock);
}

void wal_pusher_free(WalPusher *pusher)
{
    if (!pusher)
        return;
    pthread_mutex_lock(&pusher->lock);
    pusher->closed = true;
    pthread_cond_broadcast(&pusher->work);
    pthread_mutex_unlock(&pusher->lock);
    for (unsigned i = 0; i < pusher->n; i++)
        (void)pthread_join(pusher->threads[i], NULL);
    wal_ahead_free(pusher->ahead);
    pthread_cond_destroy(&pusher->room);
    pthread_cond_destroy(&pusher->work);
    pthread_mutex_destroy(&pusher->lock);
    g_free(pusher);
}
