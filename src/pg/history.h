/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a timeline comes from: the file <timeline>.history that PostgreSQL writes when a server is
 * promoted names all timelines on the way and where each was left. PostgreSQL documentation,
 * "Timelines". Immutable; threads may share it.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct PgHistory PgHistory;

/* One stretch of the way: the WAL in begin <= lsn < end is the timeline's own. */
typedef struct {
    uint32_t timeline;
    uint64_t begin; /* 0 for the first */
    uint64_t end;   /* UINT64_MAX for the last, which goes on */
    char *reason;   /* why it was left, as the server wrote it; NULL for the last */
} PgStretch;

/* The history of the first timeline, which has no file. */
PgHistory *pg_history_first(void);
/* timeline: the one in the file's name; text: the file. BS_ERROR_CORRUPT: a line that cannot be
 * read, timelines that go back; PostgreSQL would not start with such a file. */
PgHistory *pg_history_parse(uint32_t timeline, const char *text, size_t len, GError **error);
void pg_history_free(PgHistory *history);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgHistory, pg_history_free)

/* In the order of positions; the last is the timeline itself. Borrowed. */
const PgStretch *pg_history_stretches(const PgHistory *history, size_t *ret_n);
/* The timeline whose WAL holds the byte at lsn on the way. */
uint32_t pg_history_timeline_at(const PgHistory *history, uint64_t lsn);
/* The stretch of a timeline; NULL when the way does not pass it. Borrowed. */
const PgStretch *pg_history_find(const PgHistory *history, uint32_t timeline);
/* Whether the way comes to the timeline of its in the way that its own history says. True also when
 * it does not pass that timeline. */
bool pg_history_agrees(const PgHistory *history, const PgHistory *its);
/* Whether recovery that stands at lsn of timeline can go on to the end of the way: it is on it, and
 * has not run past the place where it was left. */
bool pg_history_reachable(const PgHistory *history, uint32_t timeline, uint64_t lsn);
