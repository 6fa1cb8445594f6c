/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function in several threads at once, for work whose pieces do not depend on each other. What
 * is next, and what has failed, the function keeps itself.
 */
#pragma once
#include <stddef.h>

#define PARALLEL_MAX 32u

/* Calls work(user) in n threads (at least one, at most PARALLEL_MAX), of which the caller's is one,
 * and returns when all calls have. Fewer where the system gives no more threads. */
void parallel_run(unsigned n, void (*work)(void *user), void *user);
/* Calls each(i, user) for every i below count, in at most so many threads, in about that order. */
void parallel_each(unsigned threads, size_t count, void (*each)(size_t i, void *user), void *user);
/* Processors to work with: at least one. */
unsigned parallel_cores(void);
