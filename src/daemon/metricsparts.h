/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that print metrics share: each prints families of its own. */
#pragma once
#include "daemon/exposition.h"
#include "daemon/metrics.h"

/* Of schedules and their sources: how it stands. */
bool metrics_print_gauges(const Exposition *to, Catalog *catalog, const MetricsOptions *options,
                          GError **error);
/* Of repositories, stores and clusters: what was measured. options has a configuration. */
bool metrics_print_places(const Exposition *to, Catalog *catalog, const MetricsOptions *options,
                          GError **error);
/* Of schedules, from the sums that are kept beside the history. */
bool metrics_print_counters(const Exposition *to, Catalog *catalog, const MetricsOptions *options,
                            GError **error);
