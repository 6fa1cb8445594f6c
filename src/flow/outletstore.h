/* SPDX-License-Identifier: Apache-2.0 */
/* The outlet whose stream becomes an object of a store. */
#pragma once
#include "flow/outlet.h"
#include "store/store.h"

/* store is borrowed; a thread of ours puts the object. It is there, whole and durable, when finish
 * returns true; free without finish leaves what was there before. */
Outlet *outlet_store_new(Store *store, const char *key);
