/* SPDX-License-Identifier: Apache-2.0 */
/* How one fact is found out (op/facts.h): by SQL, from the environment, a file, a command, a Redis
 * server. */
#pragma once
#include "base/cancel.h"
#include <jansson.h>
#include <stdbool.h>

typedef struct {
    const json_t *fact;
    char *const *operands; /* of the source, with a password; for SQL and Redis */
    char *const *hidden;   /* variables that commands do not get; may be NULL */
    const Cancel *cancel;
    int64_t most_ms; /* not longer than that, whatever its time-out; 0: as long as it may */
} FactAsking;

const char *fact_name(const json_t *fact);
/* Whether it is asked of the database or server itself, and so needs the operands. */
bool fact_needs_server(const json_t *fact);
/* How long it may take. */
int64_t fact_timeout_ms(const json_t *fact);

/* *ret_value, to be freed: NULL when a query gave nothing. The first line, at most FACT_MAX bytes
 * (source/source.h). Of SQLite the database itself is asked, not a copy: nobody may use it. */
bool fact_ask(const FactAsking *asking, char **ret_value, GError **error);
