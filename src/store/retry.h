/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries again what may work when tried again: BS_ERROR_TRANSIENT and nothing else, after a pause
 * that doubles from half a second to a minute, with jitter, at least what the server asked for
 * (bs_error_wait_ms), until a deadline at which there is one last try. Final errors come back at
 * once; after the deadline the last error does, saying how often and for how long it was tried.
 *
 * The order of wrappers is retry before limit before the driver: a try that fails has used the line
 * as well, so each has to wait for its share of it.
 */
#pragma once
#include "base/cancel.h"
#include "store/store.h"

typedef struct {
    int64_t deadline_ms; /* from the first failure of a call on; 0: 15 minutes; below 0: one try */
    /* Ends pauses, with BS_ERROR_CANCELLED. Calls that begin when it is set are made once: what has
     * been done must still be tidied up. May be NULL. */
    const Cancel *cancel;
    /* Before each pause, from the thread that pauses: so that nobody looks at silence until the
     * deadline. what: "put data/ab/abcd...". May be NULL. */
    void (*again)(const char *what, const GError *failure, int64_t pause_ms, void *user);
    void *user;
} RetryPolicy;

/* One try: false with error set. */
typedef bool (*RetryTry)(void *user, GError **error);
bool retry_run(const RetryPolicy *policy, const char *what, RetryTry try, void *user,
               GError **error);

/*
 * A store whose calls are tried again. Owns next; copies the policy. A store that is gone is waited
 * for once: when a call has given up, the following ones are tried once each until the store
 * answers one.
 *
 * A put that is told "exists" on a later try compares what is there with what it meant to put: an
 * earlier one may have arrived although its answer did not. A listing that fails half-way begins
 * anew, and each object is still told once and as early as it is seen: that costs 16 bytes an
 * object until the listing ends. What list_unfinished finds is few and told at the end. A stream is
 * passed on: its parts are tried again by who puts them. remove_unfinished counts what its last try
 * has removed.
 */
Store *retry_store_new(Store *next, const RetryPolicy *policy);
