/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that is not asked for more than so many bytes and requests a second. A call waits before
 * it begins until those before it are paid for; calls of several threads share one allowance. So
 * the average holds, while a single object still travels as fast as the line is. Of a stream each
 * piece waits. What get_whole brings is paid for afterwards, when its length is known.
 *
 * Belongs below the retry store (store/retry.h), so that every try is counted. What a driver tries
 * again by itself is not seen here.
 */
#pragma once
#include "base/cancel.h"
#include "store/store.h"

typedef struct {
    uint64_t up, down; /* bytes a second; 0: any */
    unsigned requests; /* a second; 0: any */
    /* Ends waiting, with BS_ERROR_CANCELLED. Calls that begin when it is set do not wait: they are
     * few, and tidy up. May be NULL. */
    const Cancel *cancel;
} Limits;

/* Owns next. */
Store *limit_store_new(Store *next, const Limits *limits);
