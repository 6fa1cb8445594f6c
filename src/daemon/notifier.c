/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notifier.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/channeltest.h"
#include "daemon/notice.h"
#include "daemon/notifying.h"

#include <string.h>

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

const char *notifier_base_url(const Notifier *notifier)
{
    return notifier->configuration->server.base_url;
}

/* ---- incidents ---- */

Telling *notifier_telling(Notifier *notifier, const char *id, Condition condition)
{
    g_autofree char *key = g_strdup_printf("%s\n%s", id, condition_name(condition));
    Telling *telling = g_hash_table_lookup(notifier->tellings, key);

    if (!telling) {
        telling = g_new0(Telling, 1);
        g_hash_table_insert(notifier->tellings, g_steal_pointer(&key), telling);
    }
    return telling;
}

static bool tell(Notifier *notifier, EventKind kind, const Schedule *schedule,
                 const IncidentRow *incident, int64_t now)
{
    json_t *event = notice_of_incident(kind, notifier->instance, notifier_base_url(notifier),
                                       schedule, incident, now);
    const bool kept = lines_post_incident(notifier->lines, schedule, event);

    json_decref(event);
    return kept;
}

void notifier_tell_opened(Notifier *notifier, const Schedule *schedule, const IncidentRow *incident,
                          int64_t now)
{
    g_autoptr(GError) error = NULL;

    if (tell(notifier, EVENT_OPENED, schedule, incident, now) &&
        !catalog_incident_told(notifier->catalog, incident->id, now * 1000, &error))
        notifier_complain("an incident was told, and may be once more", incident->schedule, error);
}

void notifier_complain(const char *what, const char *id, const GError *error)
{
    log_error(what, "schedule", id, "error", error->message, NULL);
}

void notifier_set_wrong(Notifier *notifier, const NotifierSubject *subject, Condition condition,
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
        notifier_complain("incident cannot be kept", subject->id, error);
    else if (opened && telling_open(notifier_telling(notifier, subject->id, condition), now))
        notifier_tell_opened(notifier, subject->schedule, &row, now);
}

void notifier_set_right(Notifier *notifier, const NotifierSubject *subject, Condition condition,
                        int64_t now)
{
    g_auto(IncidentRow) row = { 0 };
    g_autoptr(GError) error = NULL;
    bool resolved = false, aloud;

    if (!catalog_incident_resolve(notifier->catalog, subject->id, condition_name(condition),
                                  now * 1000, &row, &resolved, &error))
        notifier_complain("incident cannot be resolved", subject->id, error);
    if (!resolved)
        return;
    aloud = telling_resolve(notifier_telling(notifier, subject->id, condition));
    if (aloud || row.reminded_at != 0) // another daemon may have told what this one held back
        (void)tell(notifier, EVENT_RESOLVED, subject->schedule, &row, now);
}

void notifier_apply(Notifier *notifier, const Schedule *schedule, Judgement judgement,
                    const char *run, const char *text, int64_t now)
{
    g_autofree char *name = g_strconcat("backup of ", schedule->name, NULL);
    const NotifierSubject subject = { schedule->id, name, schedule };

    for (Condition i = 0; i < CONDITIONS; i++) {
        if (judgement.wrong & (1u << i))
            notifier_set_wrong(notifier, &subject, i, run, text, now);
        else if (judgement.right & (1u << i))
            notifier_set_right(notifier, &subject, i, now);
    }
}

/* ---- runs ---- */

static void post_run(Notifier *notifier, EventKind kind, const Schedule *schedule,
                     const RunRow *run, int64_t now)
{
    json_t *event =
        notice_of_run(kind, notifier->instance, notifier_base_url(notifier), schedule, run, now);

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
    json_t *event = notice_of_run(EVENT_ENDED, notifier->instance, notifier_base_url(notifier),
                                  schedule, run, now);

    pthread_mutex_lock(&notifier->mutex);
    notifier_apply(notifier, schedule, incident_judge(run), run->id, event_text(event, "text"),
                   now);
    pthread_mutex_unlock(&notifier->mutex);
    json_decref(event);
    if (has_run(run))
        post_run(notifier, EVENT_ENDED, schedule, run, now);
    if (run->state == RUN_SUCCEEDED && strcmp(run->kind, "sweep") != 0)
        post_run(notifier, EVENT_SUCCEEDED, schedule, run, now);
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
