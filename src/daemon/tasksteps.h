/* SPDX-License-Identifier: Apache-2.0 */
/* The command lines of a task, as its spec has them (op/task.h). */
#pragma once
#include "config/configuration.h"
#include <jansson.h>

/* BS_ERROR_CONFIG: the configuration has no repository of that name any more, or a path that no
 * spec can hold. */
bool task_repository(const Configuration *configuration, const char *name, GError **error);

/* A list of words, without the program: "--config=FILE", "--repo=NAME", the command. repository:
 * NULL: none. */
json_t *task_argv_new(const Configuration *configuration, const char *repository,
                      const char *command);
/* A word. What comes from a request stands behind "=", or behind a word "--". */
void task_argv_add(json_t *argv, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Takes argv. */
void task_steps_add(json_t *steps, const char *stage, json_t *argv);
