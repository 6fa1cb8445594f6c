/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task of the daemon that is no run of a schedule: command lines of this program, one after the
 * other, each as a child with --json, and what they print told as the events of a run
 * (op/runevents.h). The first that does not end with 0 is the last. Results, such as a "summary",
 * become "result" events, for a summary is no end of the task; logs and notes become "log" and
 * "warning". When it is cancelled the child gets time to end cleanly.
 */
#pragma once
#include "base/cancel.h"
#include "config/settings.h"
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

typedef struct {
    char *stage; /* word for the event */
    char **argv; /* without the program */
} TaskStep;

typedef struct {
    char *id, *kind;  /* 32 hexadecimal digits; "restore" */
    GPtrArray *steps; /* of TaskStep, at least one */
} TaskSpec;

void task_spec_clear(TaskSpec *spec);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TaskSpec, task_spec_clear)

/* {"run": id, "kind": word, "steps": [{"stage": word, "argv": [text]}]}. BS_ERROR_CONFIG: it is
 * none. */
bool task_spec_load(const char *path, TaskSpec *ret_spec, GError **error);

/* It is one of these, and not that of a run of a schedule. */
bool task_spec_is(const char *path);

/* program: whose commands they are, an absolute path. The error has the exit status of the command
 * that failed. */
bool op_task(const TaskSpec *spec, const char *program, const char *events, const Cancel *cancel,
             GError **error);
