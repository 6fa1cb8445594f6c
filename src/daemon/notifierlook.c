/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notifying.h"

#include "daemon/notice.h"
#include "daemon/verdict.h"

#include <string.h>

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

/* What this daemon holds back, until it is time; and what nobody was told of for as long as anybody
 * holds anything back: who opened it has died, was configured anew, or could not keep the message.
 */
static bool is_to_be_told(Notifier *notifier, const IncidentRow *row, Condition condition,
                          int64_t now)
{
    Telling *telling = notifier_telling(notifier, row->schedule, condition);

    if (row->reminded_at != 0)
        return false;
    if (telling->pending)
        return telling_look(telling, now);
    return now - row->opened_at / 1000 >= TELLING_S && telling_open(telling, now);
}

static void look_at_telling(Notifier *notifier, const Schedule *schedule, const GArray *open,
                            int64_t now)
{
    for (Condition i = 0; i < CONDITIONS; i++) {
        const IncidentRow *row = find_open(open, schedule->id, i);

        if (row && is_to_be_told(notifier, row, i, now))
            notifier_tell_opened(notifier, schedule, row, now);
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
        notifier_complain("schedule cannot be looked at", schedule->id, error);
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
    notifier_apply(notifier, schedule, news_of(judgement, schedule, open), last.id,
                   text ? text : last.error, now);
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
        notifier_complain("what was measured cannot be looked at", "", error);
        return;
    }
    for (guint i = 0; i < verdicts->len; i++) {
        const Verdict *verdict = g_ptr_array_index(verdicts, i);
        const NotifierSubject subject = { verdict->subject, verdict->name, verdict->schedule };
        const IncidentRow *row = find_open(open, verdict->subject, verdict->condition);

        if (verdict->wrong && !row)
            notifier_set_wrong(notifier, &subject, verdict->condition, NULL, verdict->text, now);
        else if (verdict->right && row)
            notifier_set_right(notifier, &subject, verdict->condition, now);
        else if (row && !verdict->schedule && is_to_be_told(notifier, row, verdict->condition, now))
            notifier_tell_opened(notifier, NULL, row, now);
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
        const NotifierSubject subject = { row->schedule, row->schedule, NULL };

        if (find_schedule(schedules, n, row->schedule) ||
            verdict_is_of_repository(notifier->configuration, row->schedule))
            continue;
        for (Condition k = 0; k < CONDITIONS; k++)
            if (strcmp(condition_name(k), row->condition) == 0)
                notifier_set_right(notifier, &subject, k, now);
    }
}

/* ---- reminders ---- */

static void remind_of(Notifier *notifier, const Schedule *schedule, const IncidentRow *incident,
                      int64_t step_s, int64_t now)
{
    json_t *event = notice_of_incident(EVENT_REMINDED, notifier->instance,
                                       notifier_base_url(notifier), schedule, incident, now);

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
        notifier_complain("incidents cannot be looked at", "", error);
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
        notifier_complain("report cannot be made", "", error);
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
        notifier_complain("incidents cannot be looked at", "", error);
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
