/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that passes every call on to another one, counts them, and lets some go wrong: "the n-th
 * put fails", "the answer to the third call is lost". Any thread.
 */
#pragma once
#include "base/error.h"
#include "store/store.h"

typedef enum {
    CALL_PUT,
    CALL_PUT_STREAM,
    CALL_GET,
    CALL_GET_WHOLE,
    CALL_LIST, /* of unfinished ones, too */
    CALL_STAT,
    CALL_REMOVE, /* the same */
    CALL_ANY,    /* number of the others, and all of them */
} StoreCall;

typedef enum {
    FLAKY_FAIL,    /* nothing is done */
    FLAKY_APPLY,   /* it is done, then it fails: the answer was lost. Of a listing half is told */
    FLAKY_CUT,     /* half of it is done and nobody is told: half an object stored or read (get: the
                      rest of buf is zero), half of a listing */
    FLAKY_SWALLOW, /* puts: nothing is done and nobody is told */
} FlakyHow;

typedef struct {
    StoreCall call;     /* which calls are counted for at */
    const char *prefix; /* only for keys that begin with this; NULL: all. Borrowed */
    unsigned at;        /* the first one that goes wrong, from 1; 0: none */
    unsigned n;         /* how many go wrong in a row; 0: all from there on */
    int code;           /* a BsErrorCode */
    FlakyHow how;
    unsigned every;  /* of those that would go wrong only each so many-th; 0: each */
    int64_t wait_ms; /* what the server asks for with the code */
} FlakyPlan;

/* next is borrowed. Until there is a plan everything works. */
Store *flaky_store_new(Store *next);
/* A new plan; counting starts again from 0. NULL: everything works. */
void flaky_store_plan(Store *store, const FlakyPlan *plan);
/* Calls since then, whatever the plan counts; CALL_ANY: all. */
unsigned flaky_store_calls(Store *store, StoreCall call);
/* How many went wrong since then: 0 tells a loop over n that it has come to its end. */
unsigned flaky_store_faults(Store *store);
