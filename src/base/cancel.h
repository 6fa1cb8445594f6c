/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request to stop, handed down to whoever works. SIGINT and SIGTERM set it (cancel_on_signals,
 * once, in main); long loops ask. Setting is async-signal-safe; asking is one atomic load.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Cancel Cancel;

Cancel *cancel_new(void);
void cancel_free(Cancel *cancel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cancel, cancel_free)

void cancel_set(Cancel *cancel);
bool cancel_is_set(const Cancel *cancel);    /* NULL is never set */
int64_t cancel_age_ms(const Cancel *cancel); /* since it was set first; 0: it is not */

/* False with BS_ERROR_CANCELLED when set: "interrupted". */
bool cancel_check(const Cancel *cancel, GError **error);

/* read(2) from a pipe or terminal that may stay silent for ever: waits for data, the end (0) or
 * cancel (-1 with BS_ERROR_CANCELLED). -1 with error set on failure. */
ssize_t cancel_read(const Cancel *cancel, int fd, void *buf, size_t len, GError **error);

/* write(2) of a part to a pipe or terminal whose reader may never come: waits for room or cancel.
 * Returns how many bytes went out; -1 with errno set, ECANCELED for cancel. For the main thread:
 * with too little room write() itself waits, and only a signal wakes it. */
ssize_t cancel_write(const Cancel *cancel, int fd, const void *buf, size_t len);

/* Sleeps by the clock (base/clock.h). False with BS_ERROR_CANCELLED, at once when it is set before
 * and within a tenth of a second when it is set meanwhile. */
bool cancel_sleep(const Cancel *cancel, int64_t ms, GError **error);

/* SIGINT, SIGTERM set it; SIGHUP and SIGPIPE are ignored (a lock holder must survive restic's
 * probing SIGHUP: repository format, "Locks"). A second SIGINT ends the process at once. SIGCHLD is
 * as new, whoever started us, so that children can be waited for. */
void cancel_on_signals(Cancel *cancel);
