/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runs.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "daemon/rundir.h"
#include "daemon/running.h"
#include "daemon/uploads.h"
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>

Running *runs_find(const Runs *runs, const char *id)
{
    for (guint i = 0; i < runs->all->len; i++) {
        Running *run = g_ptr_array_index(runs->all, i);

        if (!run->over && strcmp(run->row.id, id) == 0)
            return run;
    }
    return NULL;
}

void runs_clean(Runs *runs)
{
    g_autoptr(GHashTable) keep = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < runs->all->len; i++)
        g_hash_table_add(keep, ((Running *)g_ptr_array_index(runs->all, i))->row.id);
    run_dirs_clean(runs->world.places, keep, clock_now_ms());
    uploads_clean(runs->world.places->uploads, keep);
}

/* Those that are over. */
void runs_sweep(Runs *runs)
{
    const guint before = runs->all->len;

    for (guint i = before; i-- > 0;)
        if (((const Running *)g_ptr_array_index(runs->all, i))->over)
            g_ptr_array_remove_index_fast(runs->all, i);
    if (runs->all->len < before)
        runs_clean(runs);
}

Runs *runs_new(const RunsWorld *world, GError **error)
{
    g_autoptr(Runs) runs = g_new0(Runs, 1);

    runs->world = *world;
    runs->all = g_ptr_array_new_with_free_func(running_free);
    runs->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (runs->inotify >= 0)
        return g_steal_pointer(&runs);
    bs_error_errno(error, errno, "inotify");
    return NULL;
}

void runs_free(Runs *runs)
{
    if (!runs)
        return;
    g_ptr_array_unref(runs->all);
    fs_clear_fd(&runs->inotify);
    g_free(runs);
}

void runs_configure(Runs *runs, const Configuration *configuration)
{
    runs->world.configuration = configuration;
}

/* ---- ordering ---- */

char *run_schedule_id(const char *kind, const Schedule *schedule)
{
    return strcmp(kind, "backup") == 0 ? g_strdup(schedule->id)
                                       : g_strconcat(kind, ":", schedule->id, NULL);
}

void runs_fill_row(const Runs *runs, const RunOrder *order, RunRow *row)
{
    const Schedule *schedule = order->schedule;

    *row = (RunRow){
        .id = run_id_new(),
        .kind = g_strdup(order->kind),
        .schedule = run_schedule_id(order->kind, schedule),
        .schedule_name = g_strdup(schedule->name),
        .repository = g_strdup(schedule->repository),
        .state = RUN_QUEUED,
        .trigger = order->trigger,
        .due_at = order->due_at,
        .created_at = clock_now_ms(),
        .node = g_strdup(runs->world.node),
        .lease_until = clock_now_ms() + LEASE_MS,
        .attempt = order->attempt,
        .user = g_strdup(order->user),
    };
}

bool runs_find_concurrent(const Runs *runs, const RunRow *row, bool *ret_found, GError **error)
{
    const RunQuery query = { .schedule = row->schedule, .states = RUNS_UNFINISHED, .limit = 100 };
    g_autoptr(GArray) rows = NULL;

    *ret_found = false;
    if (!catalog_runs(runs->world.catalog, &query, &rows, error))
        return false;
    for (guint i = 0; i < rows->len; i++) {
        const RunRow *other = &g_array_index(rows, RunRow, i);

        if (strcmp(other->id, row->id) != 0 &&
            (other->state == RUN_RUNNING || strcmp(other->id, row->id) < 0))
            *ret_found = true;
    }
    return true;
}

static bool is_sweep(const Running *run)
{
    return strcmp(run->row.kind, "sweep") == 0;
}

/* Two sweeps: each wants its repository for itself. Backup and sweep of one schedule: each takes
 * its lock, and the second would have failed. */
static bool exclude(const Running *one, const Running *other)
{
    const Running *sweep = is_sweep(one) ? one : other, *second = sweep == one ? other : one;

    return is_sweep(sweep) && (is_sweep(second) || g_strcmp0(sweep->row.schedule + strlen("sweep:"),
                                                             second->row.schedule) == 0);
}

static bool has_to_wait(const Running *run)
{
    for (guint i = 0; i < run->runs->all->len; i++) {
        const Running *other = g_ptr_array_index(run->runs->all, i);

        if (other != run && !other->over && !other->waits && exclude(run, other))
            return true;
    }
    return false;
}

static void begin_ordered(Running *run)
{
    const bool waits = has_to_wait(run);
    g_autoptr(GError) error = NULL;
    bool concurrent = false;

    if (!(waits && is_sweep(run)) &&
        !runs_find_concurrent(run->runs, &run->row, &concurrent, &error))
        running_fail(run, 1, error->message);
    else if (concurrent)
        running_fail(run, 11, "concurrent");
    else if (!(run->waits = waits))
        running_begin_or_fail(run);
}

static void begin_waiting(Runs *runs)
{
    for (guint i = 0; i < runs->all->len; i++) {
        Running *run = g_ptr_array_index(runs->all, i);

        if (run->waits && !run->over && !has_to_wait(run))
            running_begin_or_fail(run);
    }
}

bool runs_order(Runs *runs, const RunOrder *order, char **ret_id, GError **error)
{
    g_auto(RunRow) row = { 0 };
    bool won = true, entered;
    Running *run;

    runs_fill_row(runs, order, &row);
    entered = order->due_at > 0 ? catalog_claim(runs->world.catalog, &row, &won, error)
                                : catalog_run_insert(runs->world.catalog, &row, error);
    if (!entered)
        return false;
    if (ret_id)
        *ret_id = won ? g_strdup(row.id) : NULL;
    if (!won)
        return true;
    run = running_add(runs, &row);
    begin_ordered(run);
    runs_sweep(runs);
    return true;
}

bool runs_cancel(Runs *runs, const char *id, GError **error)
{
    Running *run = runs_find(runs, id);

    if (run && running_may_signal(run)) {
        running_end(run, NULL);
        return true;
    }
    if (run) {
        g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                    "run %s is another user's process (%d); end it there", id, (int)run->life.pid);
        return false;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "run %s is not under way here", id);
    return false;
}

void runs_stop(Runs *runs)
{
    for (guint i = 0; i < runs->all->len; i++) {
        Running *run = g_ptr_array_index(runs->all, i);

        if (!running_is_own(run))
            continue;
        // what somebody asked for once is not done later, when he is not looking
        run->requeue =
            run->kill_at == 0 && !run_state_ended(run->row.state) && !running_is_task(run);
        run->over = run->over || run->waits; // it is begun by who comes after us
        running_end(run, running_is_task(run) ? "the daemon was stopped; ask for it again" : NULL);
    }
}

/* ---- what happens ---- */

int runs_fd(const Runs *runs)
{
    return runs->inotify;
}

static void changed(Runs *runs, const struct inotify_event *event)
{
    for (guint i = 0; i < runs->all->len; i++) {
        Running *run = g_ptr_array_index(runs->all, i);

        if (run->over || run->watch != event->wd)
            continue;
        running_read(run);
        if (event->mask & IN_CLOSE_WRITE)
            running_closed(run);
        return;
    }
}

void runs_handle(Runs *runs)
{
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t len;

    while ((len = read(runs->inotify, buffer, sizeof buffer)) > 0)
        for (const char *at = buffer; at < buffer + len;) {
            const struct inotify_event *event = (const void *)at;

            changed(runs, event);
            at += sizeof *event + event->len;
        }
    runs_sweep(runs);
}

bool runs_reaped(Runs *runs, pid_t pid, int status)
{
    for (guint i = 0; i < runs->all->len; i++) {
        Running *run = g_ptr_array_index(runs->all, i);

        if (run->over || run->child != pid)
            continue;
        running_reaped(run, status);
        runs_sweep(runs);
        return true;
    }
    return false;
}

/* ---- time ---- */

static bool has_come(int64_t *moment, int64_t now)
{
    if (*moment == 0 || *moment > now)
        return false;
    *moment = 0;
    return true;
}

static void look_after(Running *run, int64_t now)
{
    g_autofree char *late = NULL;

    if (has_come(&run->save_at, now))
        running_save(run);
    if (run->over || run_state_ended(run->row.state))
        return;
    if (has_come(&run->begin_by, now)) {
        running_signal(run, SIGKILL);
        if (run->child == 0)
            running_gone(run, 1, "it was started and has not begun");
        return;
    }
    if (has_come(&run->end_by, now)) {
        late = g_strdup_printf("it took longer than its timeout");
        running_end(run, late);
    }
    if (has_come(&run->kill_at, now)) {
        run->kill_at = now + KILL_MS;
        running_signal(run, SIGKILL);
    }
    if (has_come(&run->look_at, now))
        running_closed(run);
}

static void renew(Runs *runs, int64_t now)
{
    g_autoptr(GError) error = NULL;

    if (runs->all->len == 0 || now < runs->renew_at)
        return;
    runs->renew_at = now + RENEW_MS;
    if (!catalog_renew(runs->world.catalog, runs->world.node, clock_now_ms() + LEASE_MS, &error))
        log_warn("the leases of the runs cannot be renewed", "error", error->message, NULL);
}

static int64_t until_next(const Runs *runs, int64_t now)
{
    int64_t next = runs->all->len ? runs->renew_at : INT64_MAX;

    for (guint i = 0; i < runs->all->len; i++) {
        const Running *run = g_ptr_array_index(runs->all, i);
        const int64_t moments[] = { run->begin_by, run->end_by, run->kill_at, run->save_at,
                                    run->look_at };

        for (size_t n = 0; n < G_N_ELEMENTS(moments); n++)
            if (moments[n] > 0)
                next = MIN(next, moments[n]);
    }
    return next == INT64_MAX ? INT64_MAX : MAX(0, next - now);
}

int64_t runs_turn(Runs *runs)
{
    const int64_t now = clock_monotonic_ms();

    for (guint i = 0; i < runs->all->len; i++)
        look_after(g_ptr_array_index(runs->all, i), now);
    begin_waiting(runs);
    renew(runs, now);
    runs_sweep(runs);
    return until_next(runs, now);
}

/* ---- asked ---- */

guint runs_count(const Runs *runs)
{
    return runs->all->len;
}

guint runs_count_own(const Runs *runs)
{
    guint n = 0;

    for (guint i = 0; i < runs->all->len; i++)
        if (running_is_own(g_ptr_array_index(runs->all, i)))
            n++;
    return n;
}

bool runs_are_saved(const Runs *runs)
{
    for (guint i = 0; i < runs->all->len; i++)
        if (((const Running *)g_ptr_array_index(runs->all, i))->unsaved)
            return false;
    return true;
}

bool runs_has_schedule(const Runs *runs, const char *schedule)
{
    for (guint i = 0; i < runs->all->len; i++) {
        const Running *run = g_ptr_array_index(runs->all, i);

        if (!run->over && g_strcmp0(run->row.schedule, schedule) == 0)
            return true;
    }
    return false;
}

json_t *runs_describe(const Runs *runs)
{
    json_t *list = json_array();

    for (guint i = 0; i < runs->all->len; i++) {
        const Running *run = g_ptr_array_index(runs->all, i);
        json_t *shown = run_describe(&run->row, run->life.status);

        json_object_set_new(shown, "pid", json_integer(run->life.pid));
        json_array_append_new(list, shown);
    }
    return list;
}
