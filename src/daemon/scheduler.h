/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler: starts runs when they are due and follows them, answers on the control socket, and
 * keeps the process that serves the page. It sleeps until something is due or happens. To be called
 * once, in the main thread, before there are others.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef struct {
    const char *config;  /* the file; NULL: the usual places */
    const char *program; /* our own, an absolute path */
    int stop_wait;       /* how long runs may go on when it is stopped, s */
} SchedulerOptions;

/* Until SIGTERM or SIGINT; SIGHUP reads the configuration again. BS_ERROR_LOCKED: a scheduler has
 * the state directory already. */
bool scheduler_run(const SchedulerOptions *options, GError **error);
