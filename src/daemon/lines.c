/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/lines.h"

#include "base/error.h"
#include "base/log.h"
#include "config/reference.h"
#include "config/types.h"
#include "daemon/courier.h"

#include <string.h>

#define REMIND_LEAST_S 3600

typedef struct {
    const ChannelConfig *config;
    Courier *courier;
    int64_t remind_s; /* 0: never */
} Line;

struct Lines {
    GPtrArray *all; /* of Line */
    GArray *counts; /* of MetricsChannel */
};

/* ---- opening ---- */

static void line_free(gpointer pointer)
{
    Line *line = pointer;

    courier_free(line->courier);
    g_free(line);
}

static bool line_open(Lines *lines, const Configuration *configuration, const ChannelConfig *config,
                      const char *queue, GError **error)
{
    g_autofree char *dir = g_build_filename(queue, config->name, NULL);
    const char *remind = event_text(config->settings, "remind");
    const ChannelOps *ops = channel_ops(config->type);
    const Channel channel = { .name = config->name,
                              .settings = config->settings,
                              .origins = (const char *const *)configuration->server.webhook_origins,
                              .resolve = reference_resolve };
    Line *line;

    if (!ops) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "notifications.%s: unknown type '%s'",
                    config->name, config->type);
        return false;
    }
    line = g_new0(Line, 1);
    line->config = config;
    if (*remind)
        (void)type_wait.parse(remind, &line->remind_s, NULL); // it was checked
    if (!courier_new(ops, &channel, dir, &line->courier, error)) {
        g_prefix_error(error, "notifications.%s: ", config->name);
        line_free(line);
        return false;
    }
    g_ptr_array_add(lines->all, line);
    return true;
}

Lines *lines_new(const Configuration *configuration, const char *queue, GError **error)
{
    g_autoptr(Lines) lines = g_new0(Lines, 1);
    GHashTableIter iter;
    gpointer config;

    lines->all = g_ptr_array_new_with_free_func(line_free);
    lines->counts = g_array_new(FALSE, TRUE, sizeof(MetricsChannel));
    g_hash_table_iter_init(&iter, configuration->channels);
    while (g_hash_table_iter_next(&iter, NULL, &config)) {
        const ChannelConfig *channel = config;

        if (json_is_false(json_object_get(channel->settings, "enabled")))
            continue;
        if (!line_open(lines, configuration, channel, queue, error))
            return NULL;
    }
    return g_steal_pointer(&lines);
}

void lines_free(Lines *lines)
{
    if (!lines)
        return;
    g_ptr_array_unref(lines->all);
    g_array_unref(lines->counts);
    g_free(lines);
}

/* ---- who hears of it ---- */

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

static bool is_chosen(const Line *line, const Schedule *schedule)
{
    return !schedule || !schedule->channels ||
           g_strv_contains((const char *const *)schedule->channels, line->config->name);
}

static bool hears_of(const Line *line, const Schedule *schedule, const json_t *incident)
{
    return is_chosen(line, schedule) &&
           lists(line, "conditions", event_text(incident, "condition"), true);
}

static bool wants_reminder(const Line *line, int64_t age_s, int64_t step_s)
{
    return line->remind_s > 0 && age_s / line->remind_s != MAX(age_s - step_s, 0) / line->remind_s;
}

static const Line *at(const Lines *lines, guint i)
{
    return g_ptr_array_index(lines->all, i);
}

static bool post(const Line *line, const json_t *event)
{
    g_autoptr(GError) error = NULL;
    const bool kept = courier_post(line->courier, event, &error);

    if (!kept)
        log_error("notification cannot be kept", "channel", line->config->name, "title",
                  event_text(event, "title"), "error", error->message, NULL);
    return kept;
}

bool lines_post_incident(const Lines *lines, const Schedule *schedule, const json_t *event)
{
    bool kept = true;

    for (guint i = 0; i < lines->all->len; i++)
        if (hears_of(at(lines, i), schedule, event))
            kept = post(at(lines, i), event) && kept;
    return kept;
}

void lines_post_run(const Lines *lines, const Schedule *schedule, const json_t *event)
{
    bool wanted = event_kind(event) != EVENT_SUCCEEDED || schedule->notify_success;

    for (guint i = 0; i < lines->all->len; i++)
        if (is_chosen(at(lines, i), schedule) && (wanted || is_set(at(lines, i), "success")))
            (void)post(at(lines, i), event);
}

void lines_post_report(const Lines *lines, const char *report, const json_t *event)
{
    for (guint i = 0; i < lines->all->len; i++)
        if (lists(at(lines, i), "reports", report, false))
            (void)post(at(lines, i), event);
}

int64_t lines_reminder_step(const Lines *lines)
{
    int64_t shortest = INT64_MAX;

    for (guint i = 0; i < lines->all->len; i++)
        if (at(lines, i)->remind_s > 0)
            shortest = MIN(shortest, MAX(at(lines, i)->remind_s, REMIND_LEAST_S));
    return shortest;
}

void lines_post_reminder(const Lines *lines, const Schedule *schedule, const json_t *event,
                         int64_t age_s, int64_t step_s)
{
    for (guint i = 0; i < lines->all->len; i++)
        if (wants_reminder(at(lines, i), age_s, step_s) && hears_of(at(lines, i), schedule, event))
            (void)post(at(lines, i), event);
}

/* ---- how it goes ---- */

static const Line *find_line(const Lines *lines, const char *channel, GError **error)
{
    for (guint i = 0; i < lines->all->len; i++)
        if (strcmp(at(lines, i)->config->name, channel) == 0)
            return at(lines, i);
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no channel '%s' that is enabled",
                channel);
    return NULL;
}

bool lines_test(const Lines *lines, const char *channel, const json_t *event, GError **error)
{
    const Line *line = find_line(lines, channel, error);

    return line && courier_post(line->courier, event, error);
}

bool lines_tested(const Lines *lines, const char *channel, const char *id, CourierTest *ret_result,
                  char **ret_said, GError **error)
{
    const Line *line = find_line(lines, channel, error);

    if (line)
        *ret_result = courier_tested(line->courier, id, ret_said);
    return line != NULL;
}

const MetricsChannel *lines_counts(Lines *lines, size_t *ret_n)
{
    g_array_set_size(lines->counts, 0);
    for (guint i = 0; i < lines->all->len; i++) {
        CourierCount count = courier_count(at(lines, i)->courier);
        MetricsChannel channel = { .channel = at(lines, i)->config->name,
                                   .failures = count.failures,
                                   .dropped = count.dropped,
                                   .waiting = count.waiting };

        g_array_append_val(lines->counts, channel);
    }
    *ret_n = lines->counts->len;
    return (const MetricsChannel *)(void *)lines->counts->data;
}

bool lines_settle(const Lines *lines, int64_t timeout_ms)
{
    for (guint i = 0; i < lines->all->len; i++)
        if (!courier_settle(at(lines, i)->courier, timeout_ms))
            return false;
    return true;
}
