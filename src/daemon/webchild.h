/* SPDX-License-Identifier: Apache-2.0 */
/* The process that serves HTTP: started, and started again when it has ended, ever more slowly. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
    const char *program, *config; /* borrowed; config may be NULL */
    bool wanted;
    pid_t pid;                    /* 0: it does not run */
    int64_t started_ms, start_at; /* of clock_monotonic_ms() */
    int64_t wait_ms;
} WebChild;

/* Starts what is wanted, ends what is not. Returns when to be called again, in ms from now. */
int64_t web_child_turn(WebChild *web);
bool web_child_reaped(WebChild *web, pid_t pid, int status);
/* The configuration was read again: so does it. */
void web_child_reload(WebChild *web);
void web_child_stop(WebChild *web);
