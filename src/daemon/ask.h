/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of the control socket: asks the scheduler one thing. Any thread. */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * path: NULL for where the scheduler of this user, or of the machine, is found. request: takes the
 * reference. *ret_answer: its answer, of which "ok" is true. BS_ERROR_UNREACHABLE: nobody listens
 * there, or answers within timeout_ms; what the scheduler refuses has the code it says.
 */
bool ask_scheduler(const char *path, json_t *request, int timeout_ms, json_t **ret_answer,
                   GError **error);
/* Also tells whose process has answered. */
bool ask_scheduler_of(const char *path, json_t *request, int timeout_ms, json_t **ret_answer,
                      uid_t *ret_owner, GError **error);
