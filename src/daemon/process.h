/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that outlives us: in a session of its own, with nothing of ours but what is named. Who
 * has not started it knows it by its number and when it began, for numbers are given out again. To
 * be called before there are threads.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
    const char *const *argv; /* argv[0]: an absolute path */
    const char *dir;         /* to work in */
    int output;              /* its standard output and error; stays the caller's */
    bool dies_with_us;       /* SIGTERM when we are gone */
} ProcessStart;

/* It is our child, to be waited for. False when it could not be executed. */
bool process_start(const ProcessStart *start, pid_t *ret_pid, GError **error);

/* Field 22 of /proc/PID/stat, ticks since the machine was started; 0: there is no such process. */
uint64_t process_start_time(pid_t pid);
/* Sends it to that very process, and to no other that has its number now. start_time 0: whatever
 * has the number, for our own children. False: it is gone, or not ours to signal (errno). */
bool process_signal(pid_t pid, uint64_t start_time, int sig);
