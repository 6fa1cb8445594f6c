/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reporting.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"

#include <jansson.h>
#include <string.h>

#define DAY      86400
#define FILE_MAX 4096
#define MONDAY   4 /* days from the Thursday that Unix time begins with */

static const struct {
    const char *name, *title;
    int64_t days, first;
} periods[] = {
    { "daily", "Daily report", 1, 0 },
    { "weekly", "Weekly digest", 7, MONDAY },
};
#define PERIODS G_N_ELEMENTS(periods)

struct Reporting {
    char *path;
    int64_t last[PERIODS]; /* the due time that was given last; 0: none */
};

static void read_file(Reporting *reporting, GBytes *bytes)
{
    json_t *json = json_loadb(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), 0, NULL);

    for (size_t i = 0; i < PERIODS; i++)
        reporting->last[i] = json_integer_value(json_object_get(json, periods[i].name));
    json_decref(json);
}

bool reporting_new(const char *dir, Reporting **ret_reporting, GError **error)
{
    Reporting *reporting = g_new0(Reporting, 1);
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) failure = NULL;

    reporting->path = g_build_filename(dir, "reports.json", NULL);
    if (fs_read_file(reporting->path, FILE_MAX, &bytes, &failure)) {
        read_file(reporting, bytes);
    } else if (!g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        reporting_free(reporting);
        return false;
    }
    *ret_reporting = reporting;
    return true;
}

void reporting_free(Reporting *reporting)
{
    if (!reporting)
        return;
    g_free(reporting->path);
    g_free(reporting);
}

static bool save(const Reporting *reporting)
{
    json_t *json = json_object();
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; i < PERIODS; i++)
        json_object_set_new(json, periods[i].name, json_integer(reporting->last[i]));
    text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (fs_write_durable(reporting->path, text, strlen(text), 0600, FS_REPLACE, &error))
        return true;
    log_error("report is not made, for it might be made again", "error", error->message, NULL);
    return false;
}

/* The latest due time that is over. */
static int64_t latest(size_t period, int64_t minute, int64_t now)
{
    int64_t span = periods[period].days * DAY;
    int64_t offset = periods[period].first * DAY + minute * 60;
    int64_t ago = (now - offset) % span;

    return now - (ago < 0 ? ago + span : ago);
}

bool reporting_next(Reporting *reporting, int64_t minute, int64_t now, ReportDue *ret_due)
{
    for (size_t i = 0; i < PERIODS; i++) {
        int64_t due = latest(i, minute, now), before = reporting->last[i];

        if (before == due ||
            (before > due && before <= now)) // a minute of the day that was changed
            continue;
        reporting->last[i] = due;
        if (!save(reporting) || before == 0)
            continue;
        *ret_due = (ReportDue){ .name = periods[i].name,
                                .title = periods[i].title,
                                .since = before < due ? before : due - periods[i].days * DAY,
                                .until = due };
        return true;
    }
    return false;
}
