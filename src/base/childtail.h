/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a child's standard error. For base/child.c. */
#pragma once
#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CHILD_TAIL_LEN 8192

/* Reads in a thread of its own, so that a talkative child never waits, and keeps the end. */
typedef struct {
    int fd;   /* to be set before the start; does not block then; ours to close */
    int stop; /* eventfd: take what is there and end, even if a grandchild holds the pipe open */
    bool running;
    pthread_t thread;
    pthread_mutex_t lock;
    uint64_t total; /* bytes seen */
    char ring[CHILD_TAIL_LEN];
} ChildTail;

void child_tail_init(ChildTail *tail);
bool child_tail_start(ChildTail *tail, GError **error);
void child_tail_stop(ChildTail *tail); /* what is in the pipe has been taken */
void child_tail_done(ChildTail *tail);
/* From a whole line on, as UTF-8, to be freed. Any thread. */
char *child_tail_text(ChildTail *tail);
