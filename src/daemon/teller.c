/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/teller.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/metrics.h"
#include "daemon/notifier.h"
#include "daemon/survey.h"
#include <string.h>

#define CHECK_MS 300000

struct Teller {
    TellerWorld world;
    const Configuration *configuration;
    Notifier *notifier; /* NULL: it could not be made */
    Survey *survey;
    int64_t check_at; /* of clock_monotonic_ms() */
};

Teller *teller_new(const TellerWorld *world)
{
    Teller *teller = g_new0(Teller, 1);

    teller->world = *world;
    teller->survey = survey_new(world->program, world->config, world->catalog);
    return teller;
}

void teller_free(Teller *teller)
{
    if (!teller)
        return;
    notifier_free(teller->notifier);
    survey_free(teller->survey);
    g_free(teller);
}

/* ---- people ---- */

static bool begin(Teller *teller, GError **error)
{
    const NotifierOptions options = { .configuration = teller->configuration,
                                      .catalog = teller->world.catalog,
                                      .queue = teller->world.queue,
                                      .instance = teller->world.node };

    if (notifier_new(&options, &teller->notifier, error))
        return true;
    g_prefix_error(error, "notifications: ");
    return false;
}

void teller_let_go(Teller *teller)
{
    g_clear_pointer(&teller->notifier, notifier_free);
    teller->configuration = NULL;
}

bool teller_configure(Teller *teller, const Configuration *configuration, GError **error)
{
    // two of them would deliver the same queue
    teller_let_go(teller);
    teller->configuration = configuration;
    teller->check_at = 0;
    return begin(teller, error);
}

static bool is_told(const Teller *teller, const Schedule *schedule, const RunRow *run)
{
    return teller->notifier && schedule &&
           (strcmp(run->kind, "backup") == 0 || strcmp(run->kind, "drill") == 0);
}

/* Of a sweep only what is wrong with it. */
static bool is_judged(const Teller *teller, const Schedule *schedule, const RunRow *run)
{
    return is_told(teller, schedule, run) ||
           (teller->notifier && schedule && strcmp(run->kind, "sweep") == 0);
}

void teller_run_started(Teller *teller, const Schedule *schedule, const RunRow *run)
{
    if (is_told(teller, schedule, run))
        notifier_run_started(teller->notifier, schedule, run);
}

void teller_run_ended(Teller *teller, const Schedule *schedule, const RunRow *run)
{
    if (is_judged(teller, schedule, run))
        notifier_run_ended(teller->notifier, schedule, run);
    teller->check_at = 0; // the file of metrics is old now
}

static bool has_notifier(const Teller *teller, GError **error)
{
    if (teller->notifier)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT,
                "nobody can be notified; the daemon's log says why");
    return false;
}

bool teller_test(Teller *teller, const char *channel, char **ret_id, GError **error)
{
    return has_notifier(teller, error) &&
           notifier_queue_test(teller->notifier, channel, ret_id, error);
}

bool teller_tested(Teller *teller, const char *channel, const char *id, CourierTest *ret_result,
                   char **ret_said, GError **error)
{
    return has_notifier(teller, error) &&
           notifier_tested(teller->notifier, channel, id, ret_result, ret_said, error);
}

/* ---- the text file ---- */

static bool write_file(Teller *teller, const GPtrArray *schedules, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const ServerConfig *server = &teller->configuration->server;
    MetricsOptions options = { .prefix = server->metrics_prefix,
                               .schedules = (const Schedule *const *)schedules->pdata,
                               .n_schedules = schedules->len,
                               .configuration = teller->configuration,
                               .now = clock_now().sec,
                               .file = true };

    if (teller->notifier)
        options.channels = notifier_counts(teller->notifier, &options.n_channels);
    return metrics_print(teller->world.catalog, &options, text, error) &&
           metrics_write(server->textfile, text, error);
}

static void look(Teller *teller, const GPtrArray *schedules)
{
    g_autoptr(GError) failure = NULL, no_file = NULL;

    if (!teller->notifier && !begin(teller, &failure))
        log_error("nobody can be notified", "error", failure->message, NULL);
    if (teller->notifier)
        notifier_check(teller->notifier, (const Schedule *const *)schedules->pdata, schedules->len,
                       clock_now().sec);
    if (teller->configuration->server.textfile && !write_file(teller, schedules, &no_file))
        log_warn("metrics cannot be written", "file", teller->configuration->server.textfile,
                 "error", no_file->message, NULL);
}

int64_t teller_turn(Teller *teller, const Schedules *schedules)
{
    g_autoptr(GPtrArray) all = schedules_list(schedules);
    const int64_t measure = survey_turn(teller->survey, teller->configuration,
                                        (const Schedule *const *)all->pdata, all->len);
    const int64_t now = clock_monotonic_ms();

    if (survey_has_news(teller->survey))
        teller->check_at = 0;
    if (teller->check_at <= now) {
        look(teller, all);
        teller->check_at = now + CHECK_MS;
    }
    return MIN(measure, teller->check_at - now);
}

json_t *teller_channels(Teller *teller)
{
    json_t *channels = json_array();
    const MetricsChannel *counts;
    size_t n = 0;

    counts = teller->notifier ? notifier_counts(teller->notifier, &n) : NULL;
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            channels, json_pack("{s:s, s:I, s:I, s:i}", "channel", counts[i].channel, "failures",
                                (json_int_t)counts[i].failures, "dropped",
                                (json_int_t)counts[i].dropped, "waiting", (int)counts[i].waiting));
    return channels;
}

bool teller_reaped(Teller *teller, pid_t pid, int status)
{
    return survey_reaped(teller->survey, pid, status);
}
