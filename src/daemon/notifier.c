/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notifier.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/channeltest.h"
#include "daemon/incident.h"
#include "daemon/lines.h"
#include "daemon/notice.h"
#include "daemon/reporting.h"
#include "daemon/verdict.h"
#include "state/incidents.h"

#include <pthread.h>
#include <string.h>

struct Notifier {
    const Configuration *configuration;
    char *instance;
    int64_t began; /* Unix seconds */
    Lines *lines;
    Reporting *reporting;
    pthread_mutex_t mutex; /* all below */
    Catalog *catalog;
    GHashTable *tellings; /* "schedule\ncondition" -> Telling */
};

bool notifier_new(const NotifierOptions *options, Notifier **ret_notifier, GError **error)
{
    g_autoptr(Notifier) notifier = g_new0(Notifier, 1);

    notifier->configuration = options->configuration;
    notifier->instance = g_strdup(options->instance);
    notifier->began = clock_now().sec;
    notifier->tellings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    pthread_mutex_init(&notifier->mutex, NULL);
    if (!catalog_reopen(options->catalog, &notifier->catalog, error) ||
        !reporting_new(options->queue, &notifier->reporting, error) ||
        !(notifier->lines = lines_new(options->configuration, options->queue, error)))
        return false;
    *ret_notifier = g_steal_pointer(&notifier);
    return true;
}

void notifier_free(Notifier *notifier)
{
    if (!notifier)
        return;
    lines_free(notifier->lines);
    reporting_free(notifier->reporting);
    catalog_free(notifier->catalog);
    g_hash_table_unref(notifier->tellings);
    pthread_mutex_destroy(&notifier->mutex);
    g_free(notifier->instance);
    g_free(notifier);
}

static const char *base_url(const Notifier *notifier)
{
    return notifier->configuration->server.base_url;
}

/* ---- incidents ---- */

/* What an incident is about: schedule NULL: of none, and all channels hear of it. */
typedef struct {
    const char *id, *name; /* name: "backup of nightly" */
    const Schedule *schedule;
} Subject;

static Telling *telling_of(Notifier *notifier, const char *id, Condition condition)
{
    g_autofree char *key = g_strdup_printf("%s\n%s", id, condition_name(condition));
    Telling *telling = g_hash_table_lookup(notifier->tellings, key);

    if (!telling) {
        telling = g_new0(Telling, 1);
        g_hash_table_insert(notifier->tellings, g_steal_pointer(&key), telling);
    }
    return telling;
}

static void tell(Notifier *notifier, EventKind kind, const Schedule *schedule,
                 const IncidentRow *incident, int64_t now)
{
    json_t *event =
        notice_of_incident(kind, notifier->instance, base_url(notifier), schedule, incident, now);

    lines_post_incident(notifier->lines, schedule, event);
    json_decref(event);
}

static void complain(const char *what, const char *id, const GError *error)
{
    log_error(what, "schedule", id, "error", error->message, NULL);
}

static void set_wrong(Notifier *notifier, const Subject *subject, Condition condition,
                      const char *run, const char *text, int64_t now)
{
    g_auto(IncidentRow) row = { .schedule = g_strdup(subject->id),
                                .condition = g_strdup(condition_name(condition)),
                                .severity = g_strdup(condition_severity(condition)),
                                .summary = notice_title(subject->name, condition),
                                .run = g_strdup(run),
                                .detail = json_object() };
    g_autoptr(GError) error = NULL;
    bool opened = false;

    event_set(row.detail, "text", text ? text : "");
    if (!catalog_incident_open(notifier->catalog, &row, now * 1000, &opened, &error))
        complain("incident cannot be kept", subject->id, error);
    else if (opened && telling_open(telling_of(notifier, subject->id, condition), now))
        tell(notifier, EVENT_OPENED, subject->schedule, &row, now);
}

static void set_right(Notifier *notifier, const Subject *subject, Condition condition, int64_t now)
{
    g_auto(IncidentRow) row = { 0 };
    g_autoptr(GError) error = NULL;
    bool resolved = false;

    if (!catalog_incident_resolve(notifier->catalog, subject->id, condition_name(condition),
                                  now * 1000, &row, &resolved, &error))
        complain("incident cannot be resolved", subject->id, error);
    else if (resolved && telling_resolve(telling_of(notifier, subject->id, condition)))
        tell(notifier, EVENT_RESOLVED, subject->schedule, &row, now);
}

static void apply(Notifier *notifier, const Schedule *schedule, Judgement judgement,
                  const char *run, const char *text, int64_t now)
{
    g_autofree char *name = g_strconcat("backup of ", schedule->name, NULL);
    const Subject subject = { schedule->id, name, schedule };

    for (Condition i = 0; i < CONDITIONS; i++) {
        if (judgement.wrong & (1u << i))
            set_wrong(notifier, &subject, i, run, text, now);
        else if (judgement.right & (1u << i))
            set_right(notifier, &subject, i, now);
    }
}

/* ---- runs ---- */

static void post_run(Notifier *notifier, EventKind kind, const Schedule *schedule,
                     const RunRow *run, int64_t now)
{
    json_t *event = notice_of_run(kind, notifier->instance, base_url(notifier), schedule, run, now);

    lines_post_run(notifier->lines, schedule, event);
    json_decref(event);
}

void notifier_run_started(Notifier *notifier, const Schedule *schedule, const RunRow *run)
{
    if (strcmp(run->kind, "backup") == 0)
        post_run(notifier, EVENT_STARTED, schedule, run, clock_now().sec);
}

/* One that overlapped has not run: the ping of the one that does run would be doubled. */
static bool has_run(const RunRow *run)
{
    return strcmp(run->kind, "backup") == 0 && run->started_at != 0 && run_state_ended(run->state);
}

void notifier_run_ended(Notifier *notifier, const Schedule *schedule, const RunRow *run)
{
    int64_t now = clock_now().sec;
    json_t *event =
        notice_of_run(EVENT_ENDED, notifier->instance, base_url(notifier), schedule, run, now);

    pthread_mutex_lock(&notifier->mutex);
    apply(notifier, schedule, incident_judge(run), run->id, event_text(event, "text"), now);
    pthread_mutex_unlock(&notifier->mutex);
    json_decref(event);
    if (has_run(run))
        post_run(notifier, EVENT_ENDED, schedule, run, now);
    if (run->state == RUN_SUCCEEDED)
        post_run(notifier, EVENT_SUCCEEDED, schedule, run, now);
}

/* ---- looking ---- */

static const IncidentRow *find_open(const GArray *open, const char *schedule, Condition condition)
{
    for (guint i = 0; i < open->len; i++) {
        const IncidentRow *row = &g_array_index(open, IncidentRow, i);

        if (strcmp(row->schedule, schedule) == 0 &&
            strcmp(row->condition, condition_name(condition)) == 0)
            return row;
    }
    return NULL;
}

/* Without what the catalogue says already: happening once must not count twice. */
static Judgement news_of(Judgement judgement, const Schedule *schedule, const GArray *open)
{
    for (Condition i = 0; i < CONDITIONS; i++) {
        if (find_open(open, schedule->id, i))
            judgement.wrong &= ~(1u << i);
        else
            judgement.right &= ~(1u << i);
    }
    return judgement;
}

static void look_at_telling(Notifier *notifier, const Schedule *schedule, const GArray *open,
                            int64_t now)
{
    for (Condition i = 0; i < CONDITIONS; i++) {
        const IncidentRow *row = find_open(open, schedule->id, i);

        if (row && telling_look(telling_of(notifier, schedule->id, i), now))
            tell(notifier, EVENT_OPENED, schedule, row, now);
    }
}

/* Of a schedule that never succeeded the moment counts from which anything is known of it. */
static void look_at(Notifier *notifier, const Schedule *schedule, const GArray *open, int64_t now)
{
    g_auto(RunRow) last = { 0 }, success = { 0 };
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    Judgement judgement = { 0 };
    int64_t since;

    if (!catalog_last(notifier->catalog, schedule->id, &last, &success, &error)) {
        complain("schedule cannot be looked at", schedule->id, error);
        return;
    }
    if (last.id && run_state_ended(last.state))
        judgement = incident_judge(&last);
    since = success.id ? success.ended_at / 1000 : notifier->began;
    if (!success.id && last.id)
        since = MIN(since, last.created_at / 1000);
    if (incident_missed(schedule, since, now)) {
        judgement.wrong |= 1u << CONDITION_MISSED;
        judgement.right &= ~(1u << CONDITION_MISSED);
        text = g_strdup_printf("last success: %" G_GINT64_FORMAT
                               " h ago, due every %" G_GINT64_FORMAT " h",
                               (now - since) / 3600, incident_interval(schedule, now) / 3600);
    }
    apply(notifier, schedule, news_of(judgement, schedule, open), last.id, text ? text : last.error,
          now);
    look_at_telling(notifier, schedule, open, now);
}

/* ---- what is measured ---- */

/* Of one that is open already nothing is new while it lasts. */
static void look_at_measured(Notifier *notifier, const Schedule *const *schedules, size_t n,
                             const GArray *open, int64_t now)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) verdicts =
        verdicts_of(notifier->catalog, notifier->configuration, schedules, n, now, &error);

    if (!verdicts) {
        complain("what was measured cannot be looked at", "", error);
        return;
    }
    for (guint i = 0; i < verdicts->len; i++) {
        const Verdict *verdict = g_ptr_array_index(verdicts, i);
        const Subject subject = { verdict->subject, verdict->name, verdict->schedule };
        const IncidentRow *row = find_open(open, verdict->subject, verdict->condition);

        if (verdict->wrong && !row)
            set_wrong(notifier, &subject, verdict->condition, NULL, verdict->text, now);
        else if (verdict->right && row)
            set_right(notifier, &subject, verdict->condition, now);
        else if (row && !verdict->schedule &&
                 telling_look(telling_of(notifier, subject.id, verdict->condition), now))
            tell(notifier, EVENT_OPENED, NULL, row, now);
    }
}

static const Schedule *find_schedule(const Schedule *const *schedules, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(schedules[i]->id, id) == 0)
            return schedules[i];
    return NULL;
}

/* Nobody can put right what is not there any more, and a pager would ring for ever. */
static void end_of_the_gone(Notifier *notifier, const Schedule *const *schedules, size_t n,
                            const GArray *open, int64_t now)
{
    for (guint i = 0; i < open->len; i++) {
        const IncidentRow *row = &g_array_index(open, IncidentRow, i);
        const Subject subject = { row->schedule, row->schedule, NULL };

        if (find_schedule(schedules, n, row->schedule) ||
            verdict_is_of_repository(notifier->configuration, row->schedule))
            continue;
        for (Condition k = 0; k < CONDITIONS; k++)
            if (strcmp(condition_name(k), row->condition) == 0)
                set_right(notifier, &subject, k, now);
    }
}

/* ---- reminders ---- */

static void remind_of(Notifier *notifier, const Schedule *schedule, const IncidentRow *incident,
                      int64_t step_s, int64_t now)
{
    json_t *event = notice_of_incident(EVENT_REMINDED, notifier->instance, base_url(notifier),
                                       schedule, incident, now);

    lines_post_reminder(notifier->lines, schedule, event, now - incident->opened_at / 1000, step_s);
    json_decref(event);
}

static void remind(Notifier *notifier, const Schedule *const *schedules, size_t n, int64_t now)
{
    int64_t step_s = lines_reminder_step(notifier->lines);
    g_autoptr(GArray) rows = NULL;
    g_autoptr(GError) error = NULL;

    if (step_s == INT64_MAX)
        return;
    if (!catalog_incidents_remind(notifier->catalog, (now - step_s) * 1000, now * 1000, &rows,
                                  &error)) {
        complain("incidents cannot be looked at", "", error);
        return;
    }
    for (guint i = 0; i < rows->len; i++) {
        const IncidentRow *row = &g_array_index(rows, IncidentRow, i);
        const Schedule *schedule = find_schedule(schedules, n, row->schedule);

        if (schedule || verdict_is_of_repository(notifier->configuration, row->schedule))
            remind_of(notifier, schedule, row, step_s, now);
    }
}

/* ---- reports ---- */

static void report(Notifier *notifier, const ReportDue *due, const GArray *open, int64_t now)
{
    RunQuery query = { .since = due->since * 1000,
                       .until = due->until * 1000,
                       .limit = RUN_LIMIT_MAX };
    g_autoptr(GArray) runs = NULL;
    g_autoptr(GError) error = NULL;
    json_t *event;

    if (!catalog_runs(notifier->catalog, &query, &runs, &error)) {
        complain("report cannot be made", "", error);
        return;
    }
    event = notice_report(notifier->instance, due->title, runs, open, now);
    lines_post_report(notifier->lines, due->name, event);
    json_decref(event);
}

void notifier_check(Notifier *notifier, const Schedule *const *schedules, size_t n, int64_t now)
{
    g_autoptr(GArray) open = NULL;
    g_autoptr(GError) error = NULL;
    ReportDue due;

    pthread_mutex_lock(&notifier->mutex);
    if (!catalog_incidents_open(notifier->catalog, &open, &error)) {
        complain("incidents cannot be looked at", "", error);
    } else {
        for (size_t i = 0; i < n; i++)
            look_at(notifier, schedules[i], open, now);
        look_at_measured(notifier, schedules, n, open, now);
        end_of_the_gone(notifier, schedules, n, open, now);
        remind(notifier, schedules, n, now);
        while (reporting_next(notifier->reporting, notifier->configuration->server.sweep_minute,
                              now, &due))
            report(notifier, &due, open, now);
    }
    pthread_mutex_unlock(&notifier->mutex);
}

/* ---- the rest ---- */

bool notifier_test(Notifier *notifier, const char *channel, GError **error)
{
    return channel_test(notifier->configuration, channel, notifier->instance, NULL, error);
}

bool notifier_queue_test(Notifier *notifier, const char *channel, char **ret_id, GError **error)
{
    json_t *event = channel_test_event(notifier->instance);
    const bool queued = lines_test(notifier->lines, channel, event, error);

    if (queued)
        *ret_id = g_strdup(event_text(event, "id"));
    json_decref(event);
    return queued;
}

bool notifier_tested(Notifier *notifier, const char *channel, const char *id,
                     CourierTest *ret_result, char **ret_said, GError **error)
{
    return lines_tested(notifier->lines, channel, id, ret_result, ret_said, error);
}

const MetricsChannel *notifier_counts(Notifier *notifier, size_t *ret_n)
{
    return lines_counts(notifier->lines, ret_n);
}

bool notifier_settle(Notifier *notifier, int64_t timeout_ms)
{
    return lines_settle(notifier->lines, timeout_ms);
}
