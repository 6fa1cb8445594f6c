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

bool web_metrics(WebCall *call, WebAnswer *answer, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    g_autoptr(GPtrArray) own = g_ptr_array_new_with_free_func(free_schedule);
    g_autoptr(GString) text = g_string_new(NULL);
    MetricsOptions options = {
        .prefix = call->web->configuration->server.metrics_prefix,
        .now = clock_now_ms() / 1000,
        .openmetrics = metrics_wants_openmetrics(web_request_header(call->request, "accept")),
    };

    if (!gather(call, all, own, error))
        return false;
    options.schedules = (const Schedule *const *)all->pdata;
    options.n_schedules = all->len;
    if (!metrics_print(call->catalog, &options, text, error))
        return false;
    web_answer_text(answer, 200, options.openmetrics ? METRICS_OPENMETRICS : METRICS_TYPE,
                    text->str);
    return true;
}
