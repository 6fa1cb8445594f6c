/* SPDX-License-Identifier: Apache-2.0 */
/* What store.h promises, asked of any store. */
#pragma once
#include "store/store.h"

/* Gives an empty store; what it needs beside stays in *ret_place for close. */
typedef struct {
    const char *name; /* of the tests: "/store/<name>/..." */
    Store *(*open)(void **ret_place);
    void (*close)(Store *store, void *place); /* frees the store, too */
    unsigned n_listed; /* objects in the listing test: more than one page of a listing */
} StoreMaker;

/* Registers the suite; the maker is borrowed until g_test_run() is over. */
void store_conformance_add(const StoreMaker *maker);
