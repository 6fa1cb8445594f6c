/* SPDX-License-Identifier: Apache-2.0 */
/* Objects in memory, for tests: the whole interface, conditional puts included. */
#pragma once
#include "store/store.h"

Store *memory_store_new(void);
