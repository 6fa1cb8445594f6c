/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of metrics: names, labels, values, escaped. Pure. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    GString *out;
    const char *prefix;
    bool openmetrics;
} Exposition;

/* HELP and TYPE. name: without the prefix; a counter's ends in "_total". */
void exposition_family(const Exposition *to, const char *name, const char *type, const char *help);
/* labels: as exposition_label() makes them, without braces; NULL: none. */
void exposition_sample(const Exposition *to, const char *name, const char *labels, double value);
/* Appends name="value", with a comma where there is something before. */
void exposition_label(GString *labels, const char *name, const char *value);
/* What a format wants at the end. */
void exposition_end(const Exposition *to);
/* Letters, digits and '_', no digit first (Prometheus, "Data model"). */
bool exposition_is_name(const char *text);
