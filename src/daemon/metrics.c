/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/metrics.h"

#include "base/error.h"
#include "base/fs.h"
#include "daemon/metricsparts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static bool print_runs(const Exposition *to, Catalog *catalog, GError **error)
{
    static const RunState states[] = { RUN_QUEUED, RUN_RUNNING };

    exposition_family(to, "runs", "gauge", "Runs that have not ended, of any kind.");
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
        RunQuery query = { .states = 1u << states[i], .limit = RUN_LIMIT_MAX };
        g_autoptr(GArray) rows = NULL;
        g_autoptr(GString) labels = g_string_new(NULL);

        if (!catalog_runs(catalog, &query, &rows, error))
            return false;
        exposition_label(labels, "state", run_state_name(states[i]));
        exposition_sample(to, "runs", labels->str, rows->len);
    }
    return true;
}

static void print_channel(const Exposition *to, const char *name, const char *channel, double value)
{
    g_autoptr(GString) labels = g_string_new(NULL);

    exposition_label(labels, "channel", channel);
    exposition_sample(to, name, labels->str, value);
}

static void print_channels(const Exposition *to, const MetricsOptions *options)
{
    if (!options->channels)
        return;
    exposition_family(to, "notification_failures_total", "counter",
                      "Attempts to deliver a notification that failed, since the start.");
    for (size_t i = 0; i < options->n_channels; i++)
        print_channel(to, "notification_failures_total", options->channels[i].channel,
                      (double)options->channels[i].failures);
    exposition_family(to, "notifications_dropped_total", "counter",
                      "Notifications that were given up, since the start.");
    for (size_t i = 0; i < options->n_channels; i++)
        print_channel(to, "notifications_dropped_total", options->channels[i].channel,
                      (double)options->channels[i].dropped);
    exposition_family(to, "notifications_waiting", "gauge", "Notifications in the queue.");
    for (size_t i = 0; i < options->n_channels; i++)
        print_channel(to, "notifications_waiting", options->channels[i].channel,
                      options->channels[i].waiting);
}

bool metrics_print(Catalog *catalog, const MetricsOptions *options, GString *out, GError **error)
{
    Exposition to = { .out = out, .prefix = options->prefix, .openmetrics = options->openmetrics };

    if (!exposition_is_name(options->prefix)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "no name of a metric begins with '%s'",
                    options->prefix);
        return false;
    }
    exposition_family(&to, "build_info", "gauge", "The program; always 1.");
    exposition_sample(&to, "build_info", "version=\"" BS_VERSION "\"", 1);
    if (!metrics_print_gauges(&to, catalog, options, error) ||
        (options->configuration && !metrics_print_places(&to, catalog, options, error)) ||
        !metrics_print_counters(&to, catalog, options, error) || !print_runs(&to, catalog, error))
        return false;
    print_channels(&to, options);
    exposition_end(&to);
    return true;
}

bool metrics_wants_openmetrics(const char *accept)
{
    return accept && strstr(accept, "application/openmetrics-text") != NULL;
}

/* The collector reads *.prom alone, so what is not whole yet has another name. */
bool metrics_write(const char *path, const GString *text, GError **error)
{
    g_autofree char *temporary = g_strconcat(path, ".tmp", NULL);
    fs_autoclose int fd =
        open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd < 0) {
        bs_error_errno(error, errno, "creating %s", temporary);
        return false;
    }
    if (!fs_write_all(fd, text->str, text->len, temporary, error))
        return false;
    // whatever the umask says, another user's node_exporter reads it
    if (fchmod(fd, 0644) != 0 || rename(temporary, path) != 0) {
        bs_error_errno(error, errno, "writing %s", path);
        return false;
    }
    return true;
}
