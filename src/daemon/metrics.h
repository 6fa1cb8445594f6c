/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics as Prometheus reads them, from the catalogue alone: a restart blanks nothing, and what
 * is not configured any more is not told of. Format: Prometheus, "Text-based format", 0.0.4;
 * OpenMetrics 1.0 on request.
 */
#pragma once
#include "config/configuration.h"
#include "state/catalog.h"

typedef struct {
    const char *channel;
    uint64_t failures, dropped;
    unsigned waiting;
} MetricsChannel;

typedef struct {
    const char *prefix;               /* of every name: "backstay" */
    const Schedule *const *schedules; /* those of the file and of the API */
    size_t n_schedules;
    const Configuration *configuration; /* NULL: nothing is told of repositories and clusters */
    const MetricsChannel *channels;     /* NULL: who asks does not know */
    size_t n_channels;
    int64_t now; /* Unix seconds */
    bool openmetrics;
    /* For the node_exporter's text files: <prefix>_backup_duration_seconds is the last run's, a
     * gauge, as such files have it; else a histogram of all. */
    bool file;
} MetricsOptions;

#define METRICS_TYPE        "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* By the header Accept, which may be NULL: whether OpenMetrics is asked for. */
bool metrics_wants_openmetrics(const char *accept);
/* BS_ERROR_USAGE: a prefix that cannot begin a name; else errors of the catalogue. */
bool metrics_print(Catalog *catalog, const MetricsOptions *options, GString *out, GError **error);
/* "<path>.tmp", then renamed, mode 0644: never half a file. */
bool metrics_write(const char *path, const GString *text, GError **error);
