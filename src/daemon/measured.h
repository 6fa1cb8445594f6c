/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was measured of repositories and clusters: a JSON object for each, made of what the command
 * line has printed, and kept among the catalogue's settings. {at, up, error, seen, told, samples};
 * "told" is the last good answer, of "seen", and stays when there is none this time. Pure. Times in
 * Unix seconds.
 */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
    MEASURE_STORE, /* stats --store --json */
    MEASURE_WAY,   /* wal check --json, of a repository: {ways, summary} */
    MEASURE_LAG,   /* wal check --lag --json, of a cluster and a repository */
} MeasureKind;

const char *measured_word(MeasureKind kind); /* "store", "way", "lag" */
/* Under which it is kept; source: NULL but for MEASURE_LAG. To be freed. */
char *measured_name(MeasureKind kind, const char *repository, const char *source);

/* said: array of the objects that were printed; status: its exit status; text: what it said
 * besides, for an error; before: what stands there, or NULL. A new reference. */
json_t *measured_take(MeasureKind kind, const json_t *before, const json_t *said, int status,
                      const char *text, int64_t now);

int64_t measured_at(const json_t *row);         /* the last attempt; 0: never */
bool measured_up(const json_t *row);            /* it gave an answer */
int64_t measured_seen(const json_t *row);       /* when it last did; 0: never */
const json_t *measured_told(const json_t *row); /* NULL: never */

/* A number under "a" or "a.b" of the last answer; NAN: there is none. */
double measured_number(const json_t *row, const char *path);
/* The same of a time in RFC 3339, in Unix seconds. */
double measured_time(const json_t *row, const char *path);

/* Of MEASURE_WAY's last answer the way of the cluster that MEASURE_LAG's is about; NULL: not known,
 * or there is no backup of it. */
const json_t *measured_way(const json_t *way, const json_t *lag);
/*
 * Seconds of work that would be lost with the cluster, now, by its WAL that is held: how long it
 * has been behind when it was measured, and all the time since, of which nobody knows. NAN: WAL
 * says nothing of it, for none is held of its timeline, or there is a gap, or no backup before it.
 */
double measured_exposed(const json_t *lag, const json_t *way, int64_t now);

typedef struct {
    double free, room; /* bytes: of the disk or the quota, whichever is less */
    double days_left;  /* NAN: it does not become less, or nobody knows yet */
} MeasuredRoom;
/* quota: 0: none. False: neither disk nor quota is known. */
bool measured_room(const json_t *row, uint64_t quota, MeasuredRoom *ret_room);
