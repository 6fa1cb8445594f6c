/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of a long work, written by whoever works and read by whoever draws. Any thread. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    _Atomic uint64_t files_total, bytes_total; /* estimate; 0: not known yet */
    _Atomic uint64_t files_done, bytes_done, errors;
    _Atomic bool total_known; /* the estimate is complete */
    pthread_mutex_t mutex;
    char current[512]; /* path worked on, cut */
} Progress;

void progress_init(Progress *progress);
void progress_done(Progress *progress);
void progress_current(Progress *progress,
                      const char *path); /* NULL progress is fine in all of these */
void progress_get_current(Progress *progress, char out[512]);
/* Of the bytes, 0 to 1; 0 as long as the total is not known. */
double progress_share(const Progress *progress);
/* At the rate so far; 0: nobody knows yet. elapsed: seconds. */
double progress_seconds_left(const Progress *progress, double elapsed);
void progress_add(Progress *progress, uint64_t files, uint64_t bytes);
