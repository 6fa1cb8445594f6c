/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webmetrics.h"

#include "base/clock.h"

#include "daemon/metrics.h"

static void free_schedule(gpointer schedule)
{
    schedule_free(schedule);
}

/* Those of the API are made anew, and freed with `own`. */
static bool gather(WebCall *call, GPtrArray *all, GPtrArray *own, GError **error)
{
    GHashTableIter of_file;
    gpointer schedule;
    g_autoptr(GArray) rows = NULL;

    g_hash_table_iter_init(&of_file, call->web->configuration->schedules);
    while (g_hash_table_iter_next(&of_file, NULL, &schedule))
        g_ptr_array_add(all, schedule);
    if (!catalog_schedules(call->catalog, &rows, error))
        return false;
    for (guint i = 0; i < rows->len; i++) {
        const ScheduleRow *row = &g_array_index(rows, ScheduleRow, i);
        Schedule *made = NULL;

        if (!schedule_from_json(NULL, row->definition, &made, error))
            return false;
        g_ptr_array_add(own, made);
        g_ptr_array_add(all, made);
        g_free(made->id);
        made->id = g_strdup(row->id);
        made->enabled = row->enabled;
    }
    return true;
}

/* Of MetricsChannel, whose names live as long as the reply; without a scheduler there is none, and
 * everything else is told all the same. */
static GArray *channels_of(WebCall *call, json_t **ret_reply)
{
    GArray *channels = g_array_new(FALSE, TRUE, sizeof(MetricsChannel));
    const json_t *one;
    size_t i;

    if (!web_ask(call, json_pack("{s:s}", "op", "channels"), ret_reply, NULL))
        return channels;
    json_array_foreach(json_object_get(*ret_reply, "channels"), i, one)
    {
        const MetricsChannel channel = {
            .channel = json_string_value(json_object_get(one, "channel")),
            .failures = (uint64_t)json_integer_value(json_object_get(one, "failures")),
            .dropped = (uint64_t)json_integer_value(json_object_get(one, "dropped")),
            .waiting = (unsigned)json_integer_value(json_object_get(one, "waiting")),
        };

        g_array_append_val(channels, channel);
    }
    return channels;
}

bool web_metrics(WebCall *call, WebAnswer *answer, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    g_autoptr(GPtrArray) own = g_ptr_array_new_with_free_func(free_schedule);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GArray) channels = NULL;
    json_t *reply = NULL;
    bool printed;
    MetricsOptions options = {
        .configuration = call->web->configuration,
        .prefix = call->web->configuration->server.metrics_prefix,
        .now = clock_now_ms() / 1000,
        .openmetrics = metrics_wants_openmetrics(web_request_header(call->request, "accept")),
    };

    if (!gather(call, all, own, error))
        return false;
    options.schedules = (const Schedule *const *)all->pdata;
    options.n_schedules = all->len;
    channels = channels_of(call, &reply);
    options.channels = reply ? (const MetricsChannel *)(void *)channels->data : NULL;
    options.n_channels = channels->len;
    printed = metrics_print(call->catalog, &options, text, error);
    json_decref(reply);
    if (!printed)
        return false;
    web_answer_text(answer, 200, options.openmetrics ? METRICS_OPENMETRICS : METRICS_TYPE,
                    text->str);
    return true;
}
