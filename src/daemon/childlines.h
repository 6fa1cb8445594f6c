/* SPDX-License-Identifier: Apache-2.0 */
/* A short command of ours whose output is looked at line by line, within a time. Any thread. */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* line: without its end, not terminated; borrowed. Also those of standard error, after the others.
 */
typedef void (*ChildLine)(const char *line, size_t len, void *user);

/* *ret_status: how it ended; its failure is no error. BS_ERROR_TRANSIENT: not within timeout_ms,
 * and it was ended. Lines of more than a mebibyte are passed over. */
bool child_lines(const char *const *argv, const char *const *envp, int timeout_ms, ChildLine take,
                 void *user, int *ret_status, GError **error);
