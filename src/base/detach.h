/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that goes on when we have ended: in a session of its own, its standard streams on
 * /dev/null, every other descriptor closed, signals that end a process as they are by default. To
 * be forked before there are threads, for it has only the one that forked.
 */
#pragma once
#include <stdbool.h>

/* It waits for detach_go() before it calls work(user), and ends with it; when *ret_go is closed
 * before, it ends at once. False: there is none. */
bool detach_fork(void (*work)(void *user), void *user, int *ret_go);
/* Closes go. */
void detach_go(int *go);
