/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/scheduler.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/notify.h"
#include "daemon/forgetorder.h"
#include "daemon/runs.h"
#include "daemon/scheduling.h"
#include "plan/due.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#define TAKE_OVER_MS 120000 /* how often runs of daemons that are gone are looked for */
#define EXTEND_S     30     /* what systemd is asked for while runs are ended */
#define REST_MS      2000   /* of nothing to do, and memory is given back */

/* ---- what others call back for ---- */

static int64_t now_s(void)
{
    return clock_now().sec;
}

static const Schedule *schedule_of(const char *id, void *user)
{
    return id ? schedules_find(((Scheduler *)user)->schedules, id) : NULL; // a task has none
}

static void run_started(const RunRow *row, void *user)
{
    Scheduler *scheduler = user;

    teller_run_started(scheduler->teller, schedule_of(row->schedule, scheduler), row);
}

static void run_ended(const RunRow *row, void *user)
{
    Scheduler *scheduler = user;
    g_autoptr(GError) error = NULL;

    if (!forget_settle(scheduler->catalog, row, &error))
        log_warn("a backup that is gone is not marked so yet", "task", row->id, "error",
                 error->message, NULL);
    teller_run_ended(scheduler->teller, schedule_of(run_row_schedule(row), scheduler), row);
    schedules_ended(scheduler->schedules, row, now_s());
    scheduler->look = true;
}

static bool order(const Schedule *schedule, const char *kind, RunTrigger trigger, int64_t due_at,
                  int attempt, void *user)
{
    Scheduler *scheduler = user;
    const RunOrder wanted = {
        .schedule = schedule, .kind = kind, .trigger = trigger, .due_at = due_at, .attempt = attempt
    };
    g_autoptr(GError) error = NULL;

    if (runs_order(scheduler->runs, &wanted, NULL, &error))
        return true;
    log_warn("a run that is due cannot be entered yet", "schedule", schedule->name, "error",
             error->message, NULL);
    return false;
}

/* ---- the configuration ---- */

static void tell_systemd(const Scheduler *scheduler, const char *first)
{
    g_autofree char *state =
        g_strdup_printf("%sSTATUS=%u schedules, %u runs under way", first,
                        schedules_count(scheduler->schedules), runs_count(scheduler->runs));

    notify_send(state);
}

static bool wants_web(const Configuration *configuration)
{
    return configuration->server.listen != NULL;
}

bool scheduler_reload(Scheduler *scheduler, GError **error)
{
    g_autoptr(Configuration) fresh = NULL;
    g_autoptr(GError) nobody = NULL;

    if (!configuration_load(scheduler->options->config, &fresh, error) ||
        !schedules_load(scheduler->schedules, fresh, now_s(), error))
        return false;
    runs_configure(scheduler->runs, fresh);
    if (!teller_configure(scheduler->teller, fresh, &nobody))
        log_error("nobody can be notified", "error", nobody->message, NULL);
    configuration_free(scheduler->configuration);
    scheduler->configuration = g_steal_pointer(&fresh);
    scheduler->look = true;
    scheduler->web.wanted = wants_web(scheduler->configuration);
    web_child_reload(&scheduler->web);
    g_clear_pointer(&scheduler->problem, g_free);
    return true;
}

static void reload_on_signal(Scheduler *scheduler)
{
    g_autofree char *reloading =
        g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());
    g_autoptr(GError) error = NULL;

    notify_send(reloading);
    if (scheduler_reload(scheduler, &error)) {
        log_info("the configuration was read again", NULL);
    } else {
        log_error("the configuration is not taken over; the old one stays", "error", error->message,
                  NULL);
        g_free(scheduler->problem);
        scheduler->problem = g_strdup(error->message);
    }
    tell_systemd(scheduler, "READY=1\n");
}

/* ---- the start ---- */

static bool open_all(Scheduler *scheduler, GError **error)
{
    const SchedulerOptions *options = scheduler->options;
    RunsWorld world = { .places = &scheduler->places,
                        .program = options->program,
                        .socket = g_getenv("BACKSTAY_RUN_SOCKET"),
                        .schedule = schedule_of,
                        .started = run_started,
                        .ended = run_ended,
                        .user = scheduler };

    if (!places_open(&scheduler->places, error) || !scheduler_lock_state(scheduler, error) ||
        !scheduler_take_signals(scheduler, error) ||
        !configuration_load(options->config, &scheduler->configuration, error) ||
        !scheduler_open_catalog(scheduler, error))
        return false;
    scheduler->control =
        control_open(scheduler->places.control, scheduler_answer, scheduler, error);
    if (!scheduler->control)
        return false;
    world.configuration = scheduler->configuration;
    world.catalog = scheduler->catalog;
    world.control = scheduler->control;
    world.node = scheduler->node;
    scheduler->runs = runs_new(&world, error);
    scheduler->schedules = schedules_new(scheduler->catalog, order, scheduler);
    scheduler->teller = teller_new(&(TellerWorld){ .catalog = scheduler->catalog,
                                                   .queue = scheduler->places.queue,
                                                   .node = scheduler->node,
                                                   .program = options->program,
                                                   .config = options->config });
    scheduler->web = (WebChild){ .program = options->program,
                                 .config = options->config,
                                 .wanted = wants_web(scheduler->configuration) };
    return scheduler->runs &&
           schedules_load(scheduler->schedules, scheduler->configuration, now_s(), error) &&
           teller_configure(scheduler->teller, scheduler->configuration, error) &&
           runs_recover(scheduler->runs, error) && forget_settle_all(scheduler->catalog, error);
}

static void scheduler_done(Scheduler *scheduler)
{
    runs_free(scheduler->runs);
    teller_free(scheduler->teller);
    schedules_free(scheduler->schedules);
    control_free(scheduler->control);
    catalog_free(scheduler->catalog);
    configuration_free(scheduler->configuration);
    places_done(&scheduler->places);
    fs_clear_fd(&scheduler->signals);
    fs_clear_fd(&scheduler->timer);
    fs_clear_fd(&scheduler->lock);
    g_free(scheduler->node);
    g_free(scheduler->problem);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Scheduler, scheduler_done)

/* ---- turns ---- */

/* What every schedule waits for may lie elsewhere now. */
static void note_set_clock(Scheduler *scheduler)
{
    log_warn("the clock was set", NULL);
    scheduler->look = scheduler->clock_was_set = true;
}

/* By the wall clock, and at once when that is set: timerfd_create(2), TFD_TIMER_CANCEL_ON_SET. */
static void set_timer(Scheduler *scheduler, int64_t at)
{
    const struct itimerspec spec = {
        .it_value = { .tv_sec = at == DUE_NEVER ? INT32_MAX * INT64_C(64) : MAX(at, 1) }
    };

    if (timerfd_settime(scheduler->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec,
                        NULL) != 0)
        note_set_clock(scheduler); // in between: ECANCELED
}

static void read_timer(Scheduler *scheduler)
{
    uint64_t n;

    if (read(scheduler->timer, &n, sizeof n) < 0 && errno == ECANCELED)
        note_set_clock(scheduler);
    scheduler->look = true;
}

static void reap(Scheduler *scheduler)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (!runs_reaped(scheduler->runs, pid, status) &&
            !teller_reaped(scheduler->teller, pid, status))
            (void)web_child_reaped(&scheduler->web, pid, status);
}

static void read_signals(Scheduler *scheduler)
{
    struct signalfd_siginfo info;
    bool reload = false, children = false;

    while (read(scheduler->signals, &info, sizeof info) == sizeof info) {
        reload = reload || info.ssi_signo == SIGHUP;
        children = children || info.ssi_signo == SIGCHLD;
        scheduler->stop = scheduler->stop || info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
    }
    if (children)
        reap(scheduler);
    if (reload && !scheduler->stop)
        reload_on_signal(scheduler);
}

static int64_t watch(Scheduler *scheduler)
{
    const int64_t every = notify_watchdog_ms(), now = clock_monotonic_ms();

    if (every == 0)
        return INT64_MAX;
    if (now - scheduler->watched_ms >= every) {
        scheduler->watched_ms = now;
        tell_systemd(scheduler, "WATCHDOG=1\n");
    }
    return scheduler->watched_ms + every - now;
}

static int64_t take_over(Scheduler *scheduler)
{
    const int64_t now = clock_monotonic_ms();
    g_autoptr(GError) error = NULL;

    if (scheduler->take_over_at > now)
        return scheduler->take_over_at - now;
    scheduler->take_over_at = now + TAKE_OVER_MS;
    if (!catalog_ping(scheduler->catalog, &error))
        log_error("the catalogue cannot be used", "error", error->message, NULL);
    else if (!runs_take_over(scheduler->runs, &error))
        log_warn("runs of daemons that are gone cannot be looked for", "error", error->message,
                 NULL);
    return TAKE_OVER_MS;
}

static void look(Scheduler *scheduler)
{
    const bool was_set = scheduler->clock_was_set;

    scheduler->look = scheduler->clock_was_set = false;
    set_timer(scheduler, schedules_look(scheduler->schedules, now_s(), was_set));
}

/* What is to be done, and how long there will be nothing, in ms. */
static int64_t work(Scheduler *scheduler)
{
    int64_t wait;

    if (scheduler->look && !scheduler->stop)
        look(scheduler);
    wait = runs_turn(scheduler->runs);
    wait = MIN(wait, watch(scheduler));
    if (!scheduler->stop) {
        wait = MIN(wait, take_over(scheduler));
        wait = MIN(wait, web_child_turn(&scheduler->web));
        wait = MIN(wait, teller_turn(scheduler->teller, scheduler->schedules));
    }
    return scheduler->look && !scheduler->stop ? 0 : wait;
}

/* False: nothing has happened. Who waits for hours needs no memory for it; that is found out by a
 * single wait that is shorter, so nothing wakes us once more. */
static bool wait_for_something(Scheduler *scheduler, struct pollfd *polls, guint n, int64_t wait)
{
    const bool doze = !scheduler->rested && wait > REST_MS;
    const int happened = poll(polls, n, (int)MIN(doze ? REST_MS : wait, INT32_MAX));

    scheduler->rested = doze && happened == 0;
    if (scheduler->rested) {
        catalog_rest(scheduler->catalog);
        memory_give_back();
    }
    return happened > 0;
}

/* One poll(2): signals, timer, events files, then the control socket. */
static void turn(Scheduler *scheduler, int64_t wait_max)
{
    const int64_t wait = MIN(wait_max, work(scheduler));
    g_autoptr(GArray) polls = g_array_new(FALSE, TRUE, sizeof(struct pollfd));
    struct pollfd own[] = { { .fd = scheduler->signals, .events = POLLIN },
                            { .fd = scheduler->timer, .events = POLLIN },
                            { .fd = runs_fd(scheduler->runs), .events = POLLIN } };
    struct pollfd *at;

    g_array_append_vals(polls, own, G_N_ELEMENTS(own));
    control_poll(scheduler->control, polls);
    at = (struct pollfd *)(void *)polls->data;
    if (!wait_for_something(scheduler, at, polls->len, wait))
        return;
    if (at[1].revents)
        read_timer(scheduler);
    if (at[2].revents)
        runs_handle(scheduler->runs);
    if (at[0].revents)
        read_signals(scheduler);
    control_handle(scheduler->control, at + G_N_ELEMENTS(own));
}

/* ---- the end ---- */

static void turn_until(Scheduler *scheduler, int64_t until)
{
    int64_t extended = 0, now;

    while (runs_count_own(scheduler->runs) > 0 && (now = clock_monotonic_ms()) < until) {
        if (now - extended > EXTEND_S * 500) {
            g_autofree char *state = g_strdup_printf("EXTEND_TIMEOUT_USEC=%d", EXTEND_S * 1000000);

            extended = now;
            notify_send(state);
        }
        turn(scheduler, MIN(until - now, EXTEND_S * 500));
    }
}

/* Runs get time; then they are ended cleanly, and begun again by who comes after us. */
static void stop(Scheduler *scheduler)
{
    notify_send("STOPPING=1\nSTATUS=letting runs finish");
    log_info("the daemon is stopping", NULL);
    turn_until(scheduler, clock_monotonic_ms() + scheduler->options->stop_wait * INT64_C(1000));
    if (runs_count_own(scheduler->runs) > 0) {
        notify_send("STATUS=ending runs");
        runs_stop(scheduler->runs);
        turn_until(scheduler, clock_monotonic_ms() + 2 * 60 * 1000);
    }
}

bool scheduler_run(const SchedulerOptions *options, GError **error)
{
    g_auto(Scheduler)
        scheduler = { .options = options, .lock = -1, .signals = -1, .timer = -1, .look = true };

    if (!open_all(&scheduler, error))
        return false;
    scheduler.started_at = now_s();
    log_info("the daemon is ready", "node", scheduler.node, "catalogue",
             catalog_name(scheduler.catalog), NULL);
    tell_systemd(&scheduler, "READY=1\n");
    while (!scheduler.stop)
        turn(&scheduler, INT64_MAX);
    stop(&scheduler);
    web_child_stop(&scheduler.web);
    return true;
}
