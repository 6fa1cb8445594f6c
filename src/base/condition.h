/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions that are waited for by a clock that nobody sets. Threads: as POSIX has it. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Ends with pthread_cond_destroy(). */
void condition_init(pthread_cond_t *condition);
/* With the mutex held. False: that long nobody has signalled; the time in which the machine sleeps
 * does not count. */
bool condition_wait_ms(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t ms);
