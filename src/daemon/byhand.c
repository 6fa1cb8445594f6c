/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/byhand.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "daemon/ask.h"
#include "daemon/places.h"
#include "daemon/runs.h"
#include "daemon/runtell.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#define ASK_MS   30000
#define LEASE_MS 180000 /* as long as that of a daemon */
#define RENEW_MS 60000
#define TRIES    5

struct ByHand {
    char *id;
    char *path; /* of events; NULL: nobody follows */
    int events; /* -1: given away */
    // without a scheduler
    Catalog *catalog; /* NULL: there is one */
    RunRow row;
    RunLife life;
    Catalog *renewing; /* of the thread */
    pthread_t thread;
    Cancel *stop;
};

const char *by_hand_id(const ByHand *by_hand)
{
    return by_hand->id;
}

int by_hand_events(ByHand *by_hand, const char **ret_path)
{
    const int fd = MAX(by_hand->events, 0);

    by_hand->events = -1;
    *ret_path = by_hand->path;
    return fd;
}

static void by_hand_free(ByHand *by_hand)
{
    fs_clear_fd(&by_hand->events);
    catalog_free(by_hand->catalog);
    catalog_free(by_hand->renewing);
    cancel_free(by_hand->stop);
    run_row_clear(&by_hand->row);
    run_life_clear(&by_hand->life);
    g_free(by_hand->id);
    g_free(by_hand->path);
    g_free(by_hand);
}

static void not_in_history(const char *why)
{
    log_warn("this run will not be in the history", "why", why, NULL);
}

/* ---- with a scheduler ---- */

/*
 * A file that he has made for us. He may be another user than we, who may be root: so it is his
 * own, it has no other name, and nothing is in it yet.
 */
static bool open_events(ByHand *by_hand, uid_t owner, GError **error)
{
    struct stat st;

    by_hand->events =
        open(by_hand->path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (by_hand->events < 0 || fstat(by_hand->events, &st) != 0) {
        bs_error_errno(error, errno, "open %s", by_hand->path);
        return false;
    }
    if (S_ISREG(st.st_mode) && st.st_uid == owner && st.st_nlink == 1 && st.st_size == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                "%s is not an empty file of the scheduler's own; nothing is written to it",
                by_hand->path);
    return false;
}

static bool take_answer(const json_t *answer, uid_t owner, ByHand **ret_by_hand, GError **error)
{
    const char *id = json_string_value(json_object_get(answer, "run"));
    const char *path = json_string_value(json_object_get(answer, "events"));
    ByHand *by_hand;

    if (!id || !path || !run_id_is_valid(id)) {
        const char *why = json_string_value(json_object_get(answer, "why"));

        not_in_history(why ? why : "the scheduler does not say why");
        *ret_by_hand = NULL;
        return true;
    }
    by_hand = g_new0(ByHand, 1);
    by_hand->id = g_strdup(id);
    by_hand->path = g_strdup(path);
    by_hand->events = -1;
    if (open_events(by_hand, owner, error)) {
        *ret_by_hand = by_hand;
        return true;
    }
    by_hand_free(by_hand);
    return false;
}

static bool ask(const ByHandRequest *request, ByHand **ret_by_hand, GError **error)
{
    json_t *question = json_pack("{s:s, s:s, s:s, s:O, s:s}", "op", "begin", "schedule",
                                 request->schedule->name, "kind", request->kind, "definition",
                                 request->schedule->definition, "user", g_get_user_name());
    uid_t owner;
    json_t *answer;
    bool ok;

    if (!ask_scheduler_of(NULL, question, ASK_MS, &answer, &owner, error))
        return false;
    ok = take_answer(answer, owner, ret_by_hand, error);
    json_decref(answer);
    return ok;
}

/* ---- without one ---- */

bool by_hand_find_catalog(const Configuration *configuration, Catalog **ret_catalog, GError **error)
{
    const ServerConfig *server = &configuration->server;
    g_autofree char *file = places_catalogue();
    g_autofree char *url = server->catalogue ? g_strdup(server->catalogue)
                           : g_file_test(file, G_FILE_TEST_EXISTS)
                               ? g_strconcat("sqlite:", file, NULL)
                               : NULL;
    g_autoptr(Secret) password = NULL;

    *ret_catalog = NULL;
    if (!url)
        return true;
    if (server->catalogue_password &&
        !reference_resolve("server.catalogue_password", server->catalogue_password, &password,
                           error))
        return false;
    return catalog_open(url, password, ret_catalog, error);
}

static void *renew_main(void *user)
{
    ByHand *by_hand = user;

    while (cancel_sleep(by_hand->stop, RENEW_MS, NULL)) {
        g_autoptr(GError) error = NULL;

        if (!catalog_renew(by_hand->renewing, by_hand->row.node, clock_now_ms() + LEASE_MS, &error))
            log_warn("the lease of this run cannot be renewed", "error", error->message, NULL);
    }
    return NULL;
}

/* A node of its own: nobody else renews its lease, and so nobody thinks that it lives. */
static void fill_row(const ByHandRequest *request, RunRow *row)
{
    const Schedule *schedule = request->schedule;
    const char *node = request->configuration->server.node;
    const int64_t now = clock_now_ms();

    *row = (RunRow){
        .id = g_strdup(request->id),
        .kind = g_strdup(request->kind),
        .schedule = run_schedule_id(request->kind, schedule),
        .schedule_name = g_strdup(schedule->name),
        .repository = g_strdup(schedule->repository),
        .trigger = TRIGGER_MANUAL,
        .state = RUN_RUNNING,
        .created_at = now,
        .started_at = now,
        .lease_until = now + LEASE_MS,
        .node = g_strdup_printf("%s, by hand, %s", node ? node : g_get_host_name(), request->id),
        .attempt = 1,
        .detail = json_pack("{s:b}", RUN_BY_HAND, 1),
        .user = g_strdup(g_get_user_name()),
    };
}

static bool is_concurrent(ByHand *by_hand, bool *ret_concurrent, GError **error)
{
    const RunQuery query = { .schedule = by_hand->row.schedule,
                             .states = 1u << RUN_QUEUED | 1u << RUN_RUNNING,
                             .limit = 100 };
    g_autoptr(GArray) rows = NULL;

    *ret_concurrent = false;
    if (!catalog_runs(by_hand->catalog, &query, &rows, error))
        return false;
    for (guint i = 0; i < rows->len; i++) {
        const RunRow *other = &g_array_index(rows, RunRow, i);

        // what is queued waits for a daemon, and of one that is gone nothing runs
        if (strcmp(other->id, by_hand->id) != 0 && other->state == RUN_RUNNING &&
            other->lease_until > clock_now_ms())
            *ret_concurrent = true;
    }
    return true;
}

static bool save(ByHand *by_hand, GError **error)
{
    for (int n = 1;; n++) {
        g_autoptr(GError) failure = NULL;

        if (catalog_run_update(by_hand->catalog, &by_hand->row, &failure))
            return true;
        if (n == TRIES || !g_error_matches(failure, BS_ERROR, BS_ERROR_TRANSIENT)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        clock_sleep_ms(n * 1000);
    }
}

static bool enter(ByHand *by_hand, GError **error)
{
    bool concurrent;

    if (!catalog_run_insert(by_hand->catalog, &by_hand->row, error) ||
        !is_concurrent(by_hand, &concurrent, error))
        return false;
    if (!concurrent)
        return catalog_reopen(by_hand->catalog, &by_hand->renewing, error);
    run_tell_end(&by_hand->row, RUN_FAILED, 11, "concurrent");
    if (save(by_hand, error))
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED, "concurrent: a run of \"%s\" is under way",
                    by_hand->row.schedule_name);
    return false;
}

static bool enter_myself(const ByHandRequest *request, ByHand **ret_by_hand, GError **error)
{
    Catalog *catalog;
    ByHand *by_hand;

    *ret_by_hand = NULL;
    if (!by_hand_find_catalog(request->configuration, &catalog, error))
        return false;
    if (!catalog)
        return true;
    by_hand = g_new0(ByHand, 1);
    by_hand->id = g_strdup(request->id);
    by_hand->events = -1;
    by_hand->catalog = catalog;
    by_hand->stop = cancel_new();
    fill_row(request, &by_hand->row);
    if (!enter(by_hand, error)) {
        by_hand_free(by_hand);
        return false;
    }
    g_assert(pthread_create(&by_hand->thread, NULL, renew_main, by_hand) == 0);
    *ret_by_hand = by_hand;
    return true;
}

/* ---- both ---- */

bool by_hand_begin(const ByHandRequest *request, ByHand **ret_by_hand, GError **error)
{
    g_autoptr(GError) failure = NULL;

    *ret_by_hand = NULL;
    if (ask(request, ret_by_hand, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_UNREACHABLE)) {
        g_clear_error(&failure);
        if (enter_myself(request, ret_by_hand, &failure))
            return true;
    }
    if (bs_error_exit_status(failure) == 11) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_LOCKED, failure->message);
        return false;
    }
    not_in_history(failure->message); // which is no reason to have no backup
    return true;
}

/* Half a line is no end, and then it has died: nothing better can be done. */
static void tell_end(const ByHand *by_hand, const GError *why)
{
    g_autofree char *valid = g_utf8_make_valid(why->message, -1);
    json_t *end =
        json_pack("{s:s, s:s, s:i, s:s}", "message_type", "run_end", "state",
                  run_state_name(RUN_FAILED), "code", bs_error_exit_status(why), "error", valid);
    char *text = json_dumps(end, JSON_COMPACT);
    g_autofree char *line = g_strconcat(text, "\n", NULL);

    free(text);
    json_decref(end);
    (void)fs_write_all(by_hand->events, line, strlen(line), by_hand->path, NULL);
    (void)fsync(by_hand->events);
}

void by_hand_fail(ByHand *by_hand, const GError *why)
{
    if (by_hand->catalog && !by_hand->life.ended) {
        run_tell_end(&by_hand->row, RUN_FAILED, bs_error_exit_status(why), why->message);
        by_hand->life.ended = true;
    } else if (by_hand->events >= 0) {
        tell_end(by_hand, why);
    }
}

void by_hand_tell(ByHand *by_hand, const json_t *event)
{
    if (by_hand->catalog)
        (void)run_tell(&by_hand->row, &by_hand->life, event);
}

void by_hand_end(ByHand *by_hand)
{
    g_autoptr(GError) error = NULL;

    if (!by_hand)
        return;
    if (by_hand->catalog) {
        cancel_set(by_hand->stop);
        pthread_join(by_hand->thread, NULL);
        if (!by_hand->life.ended)
            run_tell_end(&by_hand->row, RUN_FAILED, 1, "it ended before it had begun");
        if (!save(by_hand, &error))
            log_warn("the end of this run is not in the history", "error", error->message, NULL);
    }
    by_hand_free(by_hand);
}
