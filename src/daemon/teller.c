/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/teller.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/metrics.h"
#include "daemon/notifier.h"
#include <string.h>

#define CHECK_MS 300000

struct Teller {
    Catalog *catalog;
    const char *queue, *node;
    const Configuration *configuration;
    Notifier *notifier; /* NULL: it could not be made */
    int64_t check_at;   /* of clock_monotonic_ms() */
};

Teller *teller_new(Catalog *catalog, const char *queue, const char *node)
{
    Teller *teller = g_new0(Teller, 1);

    teller->catalog = catalog;
    teller->queue = queue;
    teller->node = node;
    return teller;
}

void teller_free(Teller *teller)
{
    if (!teller)
        return;
    notifier_free(teller->notifier);
    g_free(teller);
}

/* ---- people ---- */

static bool begin(Teller *teller, GError **error)
{
    const NotifierOptions options = { .configuration = teller->configuration,
                                      .catalog = teller->catalog,
                                      .queue = teller->queue,
                                      .instance = teller->node };

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
    return teller->notifier && schedule && strcmp(run->kind, "backup") == 0;
}

void teller_run_started(Teller *teller, const Schedule *schedule, const RunRow *run)
{
    if (is_told(teller, schedule, run))
        notifier_run_started(teller->notifier, schedule, run);
}

void teller_run_ended(Teller *teller, const Schedule *schedule, const RunRow *run)
{
    if (is_told(teller, schedule, run))
        notifier_run_ended(teller->notifier, schedule, run);
    teller->check_at = 0; // the file of metrics is old now
}

/* ---- the text file ---- */

static bool write_file(Teller *teller, const GPtrArray *schedules, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const ServerConfig *server = &teller->configuration->server;
    MetricsOptions options = { .prefix = server->metrics_prefix,
                               .schedules = (const Schedule *const *)schedules->pdata,
                               .n_schedules = schedules->len,
                               .now = clock_now().sec,
                               .file = true };

    if (teller->notifier)
        options.channels = notifier_counts(teller->notifier, &options.n_channels);
    return metrics_print(teller->catalog, &options, text, error) &&
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
    const int64_t now = clock_monotonic_ms();
    g_autoptr(GPtrArray) all = NULL;

    if (teller->check_at > now)
        return teller->check_at - now;
    all = schedules_list(schedules);
    look(teller, all);
    teller->check_at = now + CHECK_MS;
    return CHECK_MS;
}
