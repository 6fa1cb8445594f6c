/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notifier.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "config/reference.h"
#include "config/types.h"
#include "daemon/channeltest.h"
#include "daemon/courier.h"
#include "daemon/incident.h"
#include "daemon/notice.h"
#include "daemon/reporting.h"
#include "state/incidents.h"

#include <pthread.h>
#include <string.h>

#define REMIND_LEAST_S 3600

/* ---- channels ---- */

typedef struct {
    const ChannelConfig *config;
    const ChannelOps *ops;
    Channel channel;
    Courier *courier;
    int64_t remind_s; /* 0: never */
} Line;

struct Notifier {
    const Configuration *configuration;
    char *instance;
    int64_t began; /* Unix seconds */
    GPtrArray *lines;
    Reporting *reporting;
    pthread_mutex_t mutex; /* all below */
    Catalog *catalog;
    GHashTable *tellings; /* "schedule\ncondition" -> Telling */
    GArray *counts;       /* of MetricsChannel */
};

static void line_free(gpointer pointer)
{
    Line *line = pointer;

    courier_free(line->courier);
    g_free(line);
}

static bool is_set(const Line *line, const char *key)
{
    return json_is_true(json_object_get(line->config->settings, key));
}

/* Whether a list has the word; one that is not there has all when that is what it means. */
static bool lists(const Line *line, const char *key, const char *word, bool absent)
{
    const json_t *list = json_object_get(line->config->settings, key);
    const json_t *item;
    size_t i;

    if (!list)
        return absent;
    json_array_foreach((json_t *)list, i,
                       item) if (json_is_string(item) &&
                                 strcmp(json_string_value(item), word) == 0) return true;
    return false;
}

static bool line_new(Notifier *notifier, const ChannelConfig *config, const char *queue,
                     GError **error)
{
    g_autofree char *dir = g_build_filename(queue, config->name, NULL);
    const char *remind = event_text(config->settings, "remind");
    const ServerConfig *server = &notifier->configuration->server;
    Line *line = g_new0(Line, 1);

    line->config = config;
    line->ops = channel_ops(config->type);
    line->channel = (Channel){ .name = config->name,
                               .settings = config->settings,
                               .origins = (const char *const *)server->webhook_origins,
                               .resolve = reference_resolve };
    if (*remind)
        (void)type_wait.parse(remind, &line->remind_s, NULL); // it was checked
    if (!line->ops) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "notifications.%s: unknown type '%s'",
                    config->name, config->type);
        line_free(line);
        return false;
    }
    if (!courier_new(line->ops, &line->channel, dir, &line->courier, error)) {
        g_prefix_error(error, "notifications.%s: ", config->name);
        line_free(line);
        return false;
    }
    g_ptr_array_add(notifier->lines, line);
    return true;
}

static bool open_lines(Notifier *notifier, const char *queue, GError **error)
{
    GHashTableIter iter;
    gpointer config;

    g_hash_table_iter_init(&iter, notifier->configuration->channels);
    while (g_hash_table_iter_next(&iter, NULL, &config)) {
        const ChannelConfig *channel = config;

        if (json_is_false(json_object_get(channel->settings, "enabled")))
            continue;
        if (!line_new(notifier, channel, queue, error))
            return false;
    }
    return true;
}

bool notifier_new(const NotifierOptions *options, Notifier **ret_notifier, GError **error)
{
    g_autoptr(Notifier) notifier = g_new0(Notifier, 1);

    notifier->configuration = options->configuration;
    notifier->instance = g_strdup(options->instance);
    notifier->began = clock_now().sec;
    notifier->lines = g_ptr_array_new_with_free_func(line_free);
    notifier->tellings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    notifier->counts = g_array_new(FALSE, TRUE, sizeof(MetricsChannel));
    pthread_mutex_init(&notifier->mutex, NULL);
    if (!catalog_reopen(options->catalog, &notifier->catalog, error) ||
        !reporting_new(options->queue, &notifier->reporting, error) ||
        !open_lines(notifier, options->queue, error))
        return false;
    *ret_notifier = g_steal_pointer(&notifier);
    return true;
}

void notifier_free(Notifier *notifier)
{
    if (!notifier)
        return;
    g_ptr_array_unref(notifier->lines);
    reporting_free(notifier->reporting);
    catalog_free(notifier->catalog);
    g_hash_table_unref(notifier->tellings);
    g_array_unref(notifier->counts);
    pthread_mutex_destroy(&notifier->mutex);
    g_free(notifier->instance);
    g_free(notifier);
}

/* ---- who hears of it ---- */

static bool is_chosen(const Line *line, const Schedule *schedule)
{
    return !schedule || !schedule->channels ||
           g_strv_contains((const char *const *)schedule->channels, line->config->name);
}

/* A reminder is made as often as the most impatient channel wants it; the others take each so many
 * of them. */
static bool wants_reminder(const Line *line, int64_t age_s, int64_t step_s)
{
    return line->remind_s > 0 && age_s / line->remind_s != MAX(age_s - step_s, 0) / line->remind_s;
}

static void post(const Line *line, const json_t *event)
{
    g_autoptr(GError) error = NULL;

    if (!courier_post(line->courier, event, &error))
        log_error("notification cannot be kept", "channel", line->config->name, "title",
                  event_text(event, "title"), "error", error->message, NULL);
}

static void post_incident(Notifier *notifier, const Schedule *schedule, const json_t *event)
{
    for (guint i = 0; i < notifier->lines->len; i++) {
        const Line *line = g_ptr_array_index(notifier->lines, i);

        if (is_chosen(line, schedule) &&
            lists(line, "conditions", event_text(event, "condition"), true))
            post(line, event);
    }
}

static const char *base_url(const Notifier *notifier)
{
    return notifier->configuration->server.base_url;
}

/* ---- incidents ---- */

static Telling *telling_of(Notifier *notifier, const Schedule *schedule, Condition condition)
{
    g_autofree char *key = g_strdup_printf("%s\n%s", schedule->id, condition_name(condition));
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

    post_incident(notifier, schedule, event);
    json_decref(event);
}

static void complain(const char *what, const Schedule *schedule, const GError *error)
{
    log_error(what, "schedule", schedule ? schedule->name : "", "error", error->message, NULL);
}

static void set_wrong(Notifier *notifier, const Schedule *schedule, Condition condition,
                      const char *run, const char *text, int64_t now)
{
    g_auto(IncidentRow) row = { .schedule = g_strdup(schedule->id),
                                .condition = g_strdup(condition_name(condition)),
                                .severity = g_strdup(condition_severity(condition)),
                                .summary = notice_title(schedule->name, condition),
                                .run = g_strdup(run),
                                .detail = json_object() };
    g_autoptr(GError) error = NULL;
    bool opened = false;

    event_set(row.detail, "text", text ? text : "");
    if (!catalog_incident_open(notifier->catalog, &row, now * 1000, &opened, &error))
        complain("incident cannot be kept", schedule, error);
    else if (opened && telling_open(telling_of(notifier, schedule, condition), now))
        tell(notifier, EVENT_OPENED, schedule, &row, now);
}

static void set_right(Notifier *notifier, const Schedule *schedule, Condition condition,
                      int64_t now)
{
    g_auto(IncidentRow) row = { 0 };
    g_autoptr(GError) error = NULL;
    bool resolved = false;

    if (!catalog_incident_resolve(notifier->catalog, schedule->id, condition_name(condition),
                                  now * 1000, &row, &resolved, &error))
        complain("incident cannot be resolved", schedule, error);
    else if (resolved && telling_resolve(telling_of(notifier, schedule, condition)))
        tell(notifier, EVENT_RESOLVED, schedule, &row, now);
}

static void apply(Notifier *notifier, const Schedule *schedule, Judgement judgement,
                  const char *run, const char *text, int64_t now)
{
    for (Condition i = 0; i < CONDITIONS; i++) {
        if (judgement.wrong & (1u << i))
            set_wrong(notifier, schedule, i, run, text, now);
        else if (judgement.right & (1u << i))
            set_right(notifier, schedule, i, now);
    }
}

void notifier_condition(Notifier *notifier, const Schedule *schedule, Condition condition,
                        bool wrong, const char *text, int64_t now)
{
    pthread_mutex_lock(&notifier->mutex);
    if (wrong)
        set_wrong(notifier, schedule, condition, NULL, text, now);
    else
        set_right(notifier, schedule, condition, now);
    pthread_mutex_unlock(&notifier->mutex);
}

/* ---- runs ---- */

static void post_run(Notifier *notifier, EventKind kind, const Schedule *schedule,
                     const RunRow *run, int64_t now)
{
    json_t *event = notice_of_run(kind, notifier->instance, base_url(notifier), schedule, run, now);

    for (guint i = 0; i < notifier->lines->len; i++) {
        const Line *line = g_ptr_array_index(notifier->lines, i);

        if (is_chosen(line, schedule) &&
            (kind != EVENT_SUCCEEDED || schedule->notify_success || is_set(line, "success")))
            post(line, event);
    }
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

        if (row && telling_look(telling_of(notifier, schedule, i), now))
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
        complain("schedule cannot be looked at", schedule, error);
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

/* ---- reminders ---- */

static const Schedule *find_schedule(const Schedule *const *schedules, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(schedules[i]->id, id) == 0)
            return schedules[i];
    return NULL;
}

static int64_t shortest_reminder(const Notifier *notifier)
{
    int64_t shortest = INT64_MAX;

    for (guint i = 0; i < notifier->lines->len; i++) {
        const Line *line = g_ptr_array_index(notifier->lines, i);

        if (line->remind_s > 0)
            shortest = MIN(shortest, MAX(line->remind_s, REMIND_LEAST_S));
    }
    return shortest;
}

static void remind_of(Notifier *notifier, const Schedule *schedule, const IncidentRow *incident,
                      int64_t step_s, int64_t now)
{
    json_t *event = notice_of_incident(EVENT_REMINDED, notifier->instance, base_url(notifier),
                                       schedule, incident, now);
    int64_t age_s = now - incident->opened_at / 1000;

    for (guint i = 0; i < notifier->lines->len; i++) {
        const Line *line = g_ptr_array_index(notifier->lines, i);

        if (wants_reminder(line, age_s, step_s) && is_chosen(line, schedule) &&
            lists(line, "conditions", incident->condition, true))
            post(line, event);
    }
    json_decref(event);
}

static void remind(Notifier *notifier, const Schedule *const *schedules, size_t n, int64_t now)
{
    int64_t step_s = shortest_reminder(notifier);
    g_autoptr(GArray) rows = NULL;
    g_autoptr(GError) error = NULL;

    if (step_s == INT64_MAX)
        return;
    if (!catalog_incidents_remind(notifier->catalog, (now - step_s) * 1000, now * 1000, &rows,
                                  &error)) {
        complain("incidents cannot be looked at", NULL, error);
        return;
    }
    for (guint i = 0; i < rows->len; i++) {
        const IncidentRow *row = &g_array_index(rows, IncidentRow, i);
        const Schedule *schedule = find_schedule(schedules, n, row->schedule);

        if (schedule)
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
        complain("report cannot be made", NULL, error);
        return;
    }
    event = notice_report(notifier->instance, due->title, runs, open, now);
    for (guint i = 0; i < notifier->lines->len; i++) {
        const Line *line = g_ptr_array_index(notifier->lines, i);

        if (lists(line, "reports", due->name, false))
            post(line, event);
    }
    json_decref(event);
}

void notifier_check(Notifier *notifier, const Schedule *const *schedules, size_t n, int64_t now)
{
    g_autoptr(GArray) open = NULL;
    g_autoptr(GError) error = NULL;
    ReportDue due;

    pthread_mutex_lock(&notifier->mutex);
    if (!catalog_incidents_open(notifier->catalog, &open, &error)) {
        complain("incidents cannot be looked at", NULL, error);
    } else {
        for (size_t i = 0; i < n; i++)
            look_at(notifier, schedules[i], open, now);
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

const MetricsChannel *notifier_counts(Notifier *notifier, size_t *ret_n)
{
    g_array_set_size(notifier->counts, 0);
    for (guint i = 0; i < notifier->lines->len; i++) {
        const Line *line = g_ptr_array_index(notifier->lines, i);
        CourierCount count = courier_count(line->courier);
        MetricsChannel channel = { .channel = line->config->name,
                                   .failures = count.failures,
                                   .dropped = count.dropped,
                                   .waiting = count.waiting };

        g_array_append_val(notifier->counts, channel);
    }
    *ret_n = notifier->counts->len;
    return (const MetricsChannel *)(void *)notifier->counts->data;
}

bool notifier_settle(Notifier *notifier, int64_t timeout_ms)
{
    for (guint i = 0; i < notifier->lines->len; i++)
        if (!courier_settle(((const Line *)g_ptr_array_index(notifier->lines, i))->courier,
                            timeout_ms))
            return false;
    return true;
}
