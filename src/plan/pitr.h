/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which base backups and which WAL of one PostgreSQL cluster stay. Pure: no clock, no store, and
 * positions (LSN) are only numbers that grow along every timeline.
 *
 * Without a window: WAL stays from the start of the oldest base on.
 * With a window that begins at `since`:
 *  - every base that ended after since stays, and so does one whose end is in the future or not
 *    known, and the newest one;
 *  - for every timeline that lived in the window (something of it came after since, or it is the
 *    latest) the newest base that ended by then and lies on its way stays: from it every moment of
 *    the window can be reached;
 *  - WAL stays from the start of the oldest of these bases on, on all timelines, without a hole;
 *    before that, only what a base that stays for another reason needs to become consistent, and
 *    what was stored after since.
 * What is younger than any base that stays is thus never removed, nor is there ever a hole in what
 * the window needs.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t timeline;
    uint64_t start, stop; /* LSN: what it needs to become consistent; start < stop */
    int64_t ended;        /* Unix seconds; 0: not known */
    /* filled in: */
    const char *reason; /* why the window needs it; NULL: it does not. Constant */
} PitrBase;

/* The WAL in begin <= lsn < end is the timeline's own. */
typedef struct {
    uint32_t timeline;
    uint64_t begin, end;
} PitrStretch;

typedef struct {
    uint32_t timeline;
    int64_t newest_at; /* when the newest of its WAL was stored, Unix seconds; 0: none is */
    const PitrStretch *stretches; /* the way to it, itself the last; borrowed */
    size_t n;                     /* 0: nobody knows where it comes from */
} PitrTimeline;

typedef struct {
    PitrBase *bases;
    size_t n_bases;
    const PitrTimeline *timelines; /* all of which there is a base or WAL */
    size_t n_timelines;
} PitrCluster;

/* From when a window counts back: now, or the newest sign of life when that is older, so that a
 * clock that runs ahead makes nothing look old. */
int64_t pitr_until(const PitrCluster *cluster, int64_t now);

/* Whether a timeline lived in the window: only of these the way must be known. */
bool pitr_lived(const PitrCluster *cluster, uint32_t timeline, int64_t since);

/* Fills in the reasons. False when a way that matters is not known: *ret_timeline is that; then
 * nothing of the cluster may be removed, and the reasons are not to be used. */
bool pitr_keep_bases(const PitrCluster *cluster, int64_t since, int64_t now,
                     uint32_t *ret_timeline);

/* Where the WAL that stays without a hole begins: the oldest start of the bases with a reason, or,
 * without a window, of all. UINT64_MAX: there are none. */
uint64_t pitr_floor(const PitrCluster *cluster, bool window);

/*
 * Whether the WAL in begin <= lsn < end stays. bases: those of the cluster that stay, for whatever
 * reason. since: INT64_MAX without a window. The timeline does not matter: a standby may have
 * changed to a younger one while it was being saved, and a copy too many costs one segment.
 */
bool pitr_keeps(const PitrBase *bases, size_t n, uint64_t lowest, uint64_t begin, uint64_t end,
                int64_t stored_at, int64_t since);
