/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run tells in its events file, as the catalogue keeps it. Also understands the lines of
 * restic's shape that commands such as restore print with --json: "summary" and "exit_error" are
 * the end then. Pure.
 */
#pragma once
#include "state/catalog.h"
#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

/* What is not kept. */
typedef struct {
    pid_t pid; /* 0: not told yet */
    uint64_t start_time;
    json_t *status; /* the last one; NULL */
    bool ended;
} RunLife;

void run_life_clear(RunLife *life);

typedef enum {
    RUN_TOLD_LITTLE,   /* nothing that others want to know at once */
    RUN_TOLD_PROGRESS, /* life->status */
    RUN_TOLD_MORE,     /* the row is to be kept */
    RUN_TOLD_END,
} RunTold;

/* Unknown lines and members are passed over: a newer program may write them. */
RunTold run_tell(RunRow *row, RunLife *life, const json_t *event);
/* The end of a run that told none. error is copied. */
void run_tell_end(RunRow *row, RunState state, int code, const char *error);
