/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs in the catalogue: claimed by one daemon of several, followed while they last, kept as
 * history. A run belongs to a node as long as that renews its lease; one whose node is gone is
 * taken over. A run that has ended is final. Included by state/catalog.h, which says the rest.
 */
#pragma once
#include "state/catalog.h"
#include "state/runstate.h"

#define RUN_ID_LEN 32 /* hex digits: 12 of the milliseconds, 20 random, so in order of time */

/* All strings owned by the row: run_row_clear(). Times in Unix ms, 0: not yet. */
typedef struct {
    char *id;
    char *kind;     /* "backup", "restore", "drill", "check", "sweep", "import", "forget" */
    char *schedule; /* id; NULL: none */
    char *schedule_name, *repository;
    RunState state;
    RunTrigger trigger;
    int64_t due_at, created_at, started_at, ended_at;
    char *node;          /* whose run it is */
    int64_t lease_until; /* renewed by the node while it lives */
    char *stage;         /* last one told */
    int exit_code;
    char *error; /* "concurrent" and the like, or a sentence */
    uint64_t source_bytes, added_bytes, stored_bytes, files;
    json_t *detail; /* object: snapshots, warnings, by source; may be NULL */
    int attempt;    /* from 1 */
    char *user;     /* who asked; NULL: the schedule */
} RunRow;

void run_row_clear(RunRow *row);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunRow, run_row_clear)

/* The id of the schedule that it is for, also of a sweep, whose own is "sweep:ID"; NULL: none. */
const char *run_row_schedule(const RunRow *row);

char *run_id_new(void);
bool run_id_is_valid(const char *text);
int64_t run_id_time(const char *id); /* Unix ms */

/*
 * Exactly one caller of all daemons gets true for a schedule, due_at and attempt: the row is
 * inserted as RUN_QUEUED. *ret_won false: it is another's, or was. What the row leaves out (id,
 * kind "backup", created_at, attempt 1) is filled in. due_at must not be 0.
 */
bool catalog_claim(Catalog *catalog, RunRow *row, bool *ret_won, GError **error);
/* One that nobody races for. Fills in as above; BS_ERROR_EXISTS. An ended one counts in totals. */
bool catalog_run_insert(Catalog *catalog, RunRow *row, GError **error);
/* Writes state, started, ended, lease, stage and results. Only while row->node owns it and it has
 * not ended: BS_ERROR_LOST otherwise; the same end told twice is no error. */
bool catalog_run_update(Catalog *catalog, const RunRow *row, GError **error);
bool catalog_run_get(Catalog *catalog, const char *id, RunRow *ret_row,
                     GError **error); /* _NOT_FOUND */
/* The backup that it had left is gone: a succeeded or partial one is RUN_DELETED from now on. For
 * others nothing happens; totals stay. */
bool catalog_run_forgotten(Catalog *catalog, const char *id, GError **error);
/* Out of the history; totals stay. BS_ERROR_LOST: it still runs. BS_ERROR_NOT_FOUND. */
bool catalog_run_delete(Catalog *catalog, const char *id, GError **error);

typedef struct {
    const char *schedule, *kind; /* NULL: any */
    const char *or_kind;         /* with kind: also this one; NULL: none */
    const char *before;          /* id: the cursor; NULL: from the newest */
    unsigned states;             /* bits, 1 << RunState; 0: any */
    int64_t since, until;        /* of their ids, ms; 0: no bound; until is not included */
    unsigned limit;              /* 1 to RUN_LIMIT_MAX */
} RunQuery;
#define RUN_LIMIT_MAX 1000

/* Newest first. The array owns its rows (RunRow). */
bool catalog_runs(Catalog *catalog, const RunQuery *query, GArray **ret_rows, GError **error);

/* All queued and running ones of the node. */
bool catalog_renew(Catalog *catalog, const char *node, int64_t lease_until, GError **error);
/* Queued and running ones whose lease is over: theirs no longer, this node's now. */
bool catalog_take_over(Catalog *catalog, const char *node, int64_t now, int64_t lease_until,
                       GArray **ret_rows, GError **error);
/* The newest backup of a schedule, and the newest that succeeded; id NULL: there is none. */
bool catalog_last(Catalog *catalog, const char *schedule, RunRow *ret_last,
                  RunRow *ret_last_success, GError **error);
