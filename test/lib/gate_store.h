/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that passes every call on to another one, notes what was put and removed in which order,
 * and lets puts wait at a gate while it is closed: "the store is slow". Any thread.
 */
#pragma once
#include "store/store.h"

/* next is borrowed. The gate is open. */
Store *gate_store_new(Store *next);
void gate_store_close(Store *store);
void gate_store_open(Store *store);
/* Puts at the gate. */
unsigned gate_store_waiting(Store *store);
/* "put KEY", "remove KEY" in the order in which they ended, one a line. */
char *gate_store_log(Store *store);
