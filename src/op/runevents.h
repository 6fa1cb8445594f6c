/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run tells while it lives: one JSON object a line, in a file that whoever started it
 * follows, and to whoever watches it here (doc/guide/schedules.md, "Events"). The file is locked
 * with flock(LOCK_EX) as long as the run lives, so a file that nobody locks and that has no
 * "run_end" is that of a run that died. Every line goes out with one write(2); the last one is
 * durable. Any thread.
 */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct RunEvents RunEvents;

/* Of each event, with its time, in their order; one at a time. event is borrowed. */
typedef void (*RunTell)(const json_t *event, void *user);

/* path: NULL for no file; else it is made, or must be empty. fd: a descriptor of it, taken over; 0:
 * it is opened. tell may be NULL. BS_ERROR_LOCKED: a run is writing it; BS_ERROR_EXISTS: one has
 * written it. */
RunEvents *run_events_open(const char *path, int fd, RunTell tell, void *user, GError **error);
/* Takes the reference; "message_type" comes first in it. What cannot be written is remembered for
 * run_events_end(): the run goes on. */
void run_events_add(RunEvents *events, json_t *event);
/* The last one. False when this one, or any before it, is not on the disk. */
bool run_events_end(RunEvents *events, json_t *event, GError **error);
void run_events_free(RunEvents *events); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunEvents, run_events_free)

/* {"message_type":"log",...}: level is "info", "warn" or "error". */
json_t *run_event_log(const char *level, const char *text);
/* Of this process, for "run_begin": ticks since the machine was started; 0: not known. */
int64_t run_event_start_time(void);
/* A string of any bytes: what is not UTF-8 becomes U+FFFD. */
json_t *run_event_text(const char *text);
