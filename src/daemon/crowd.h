/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many messages somebody gets by themselves: a few a minute. What comes beyond that gathers
 * until the minute is over, and is then one message. Unix seconds; a clock that was set begins a
 * new minute. One thread at a time.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CROWD_SINGLES 3u
#define CROWD_S       60

typedef struct Crowds Crowds;

Crowds *crowds_new(void);
void crowds_free(Crowds *crowds);

/* whom: any text that stands for those who get it. */
bool crowds_may_send(Crowds *crowds, const char *whom, int64_t now);
/* One was sent: alone, or as many that were gathered. */
void crowds_count(Crowds *crowds, const char *whom, bool gathered, int64_t now);
/* When another may be sent; 0: now. */
int64_t crowds_next(Crowds *crowds, const char *whom, int64_t now);
