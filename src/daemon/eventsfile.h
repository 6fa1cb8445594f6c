/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events file of a run, from the outside: a run holds flock(LOCK_EX) on it as long as it lives
 * and appends one JSON object a line; the last one is "run_end". Read as it grows, by whoever
 * started the run or by his successor.
 */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#define EVENTS_NAME     "events"
#define EVENTS_LINE_MAX (1024 * 1024)

typedef struct EventsFile EventsFile;

/* Makes it when it is missing, empty, mode 0600. */
EventsFile *events_file_open(const char *path, GError **error);
void events_file_free(EventsFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EventsFile, events_file_free)

/* event is borrowed. */
typedef void (*EventsTell)(const json_t *event, void *user);

/* Tells the whole lines that have come since the last call. What is no object, or longer than
 * EVENTS_LINE_MAX, is passed over. */
bool events_file_read(EventsFile *file, EventsTell tell, void *user, GError **error);

/* Nobody has written to it: the run has not begun. */
bool events_file_is_empty(const EventsFile *file);

/*
 * Whether a run holds the lock. Asking takes it for a moment, and a run that begins in that moment
 * gives up: so ask only of a run that has begun, that is our child and gone, or that is started
 * again afterwards.
 */
bool events_file_is_locked(const EventsFile *file);

/* Writes the end of a run that died without one, durable. BS_ERROR_LOCKED: it lives after all. */
bool events_file_end(EventsFile *file, json_t *end, GError **error);
