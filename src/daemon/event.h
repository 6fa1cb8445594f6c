/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody is told: a JSON object, so that it lies in the queue and goes to a webhook as it
 * is. Its keys are an interface; "version" is 1.
 *
 * version, id (32 hex, of the delivery), kind, time (RFC 3339); and where they mean something:
 * condition, severity (critical, error, warning, info), instance, schedule, asset (the schedule,
 * else the repository, that an incident is about), run, exit_code, seconds, title, text, url,
 * thread (the id of the event that opened the incident), recipients (addresses instead of the
 * channel's), facts (object: names to texts).
 */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
    EVENT_OPENED = 1 << 0, /* an incident */
    EVENT_REMINDED = 1 << 1,
    EVENT_RESOLVED = 1 << 2,
    EVENT_SUCCEEDED = 1 << 3, /* a run, for those who want to hear of each */
    EVENT_STARTED = 1 << 4,   /* a run, for pings */
    EVENT_ENDED = 1 << 5,     /* the same run, however it ended */
    EVENT_REPORT = 1 << 6,
    EVENT_TEST = 1 << 7,
    EVENT_GROUP = 1 << 8, /* several of the others as one message for people */
} EventKind;

#define EVENT_INCIDENT (EVENT_OPENED | EVENT_REMINDED | EVENT_RESOLVED)

/* With a new id. at: Unix seconds. */
json_t *event_new(EventKind kind, const char *instance, int64_t at);
/* 0: it is of no kind we know. */
EventKind event_kind(const json_t *event);
const char *event_kind_name(EventKind kind); /* "opened" */
/* The text under that key, "" when there is none; borrowed. */
const char *event_text(const json_t *event, const char *key);
/* NULL: nothing is set. */
void event_set(json_t *event, const char *key, const char *text);
/* Under "facts"; they are shown in the order in which they were added. */
void event_add_fact(json_t *event, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* "backstay/<instance>/<asset>/<condition>": the same for all of one incident, at most 255 bytes.
 */
char *event_incident_key(const json_t *event);

/* At most n characters, the last one an ellipsis where something was cut; valid UTF-8 in any case.
 */
char *event_cut(const char *text, size_t n);
