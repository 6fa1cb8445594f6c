/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function in several threads at once, for work whose pieces do not depend on each other.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#define PARALLEL_MAX 32u

/* Calls work(user) in n threads (at least one, at most PARALLEL_MAX), of which the caller's is one,
 * and returns when all calls have. Fewer where the system gives no more threads. */
void parallel_run(unsigned n, void (*work)(void *user), void *user);
/* Calls each(i, user) for every i below count, in at most so many threads, in about that order. */
void parallel_each(unsigned threads, size_t count, void (*each)(size_t i, void *user), void *user);
/* The same until one fails: then nothing more is begun, what was begun is ended, and the error is
 * that of the first. */
bool parallel_try(unsigned threads, size_t count,
                  bool (*each)(size_t i, void *user, GError **error), void *user, GError **error);
/* Processors to work with: at least one. */
unsigned parallel_cores(void);
