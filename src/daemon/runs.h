/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runs of this node that have not ended: each is a process of the command line in a session, or
 * a systemd unit, of its own, which lives on when we are gone. It is followed by its events file,
 * by whoever is there then. One thread; nothing here waits for a run.
 *
 * What a run has told is in its file and what was decided about it is in the catalogue, so we may
 * be killed at any moment: a run is entered as running before it is started, and one that has told
 * nothing yet may be started a second time, for only one process gets the lock of the file.
 */
#pragma once
#include "config/configuration.h"
#include "daemon/control.h"
#include "daemon/places.h"
#include "state/catalog.h"

typedef struct Runs Runs;

/* All borrowed, and for as long as the runs are there; configuration may change between calls. */
typedef struct {
    const Configuration *configuration;
    const Places *places;
    Catalog *catalog;
    Control *control;
    const char *node;
    const char *program; /* an absolute path */
    /* Of systemd: who connects and writes the id of a run has it started as a unit; NULL: a run is
     * a child. */
    const char *socket;
    /* Which schedule has that id; NULL: none. */
    const Schedule *(*schedule)(const char *id, void *user);
    /* The row is in the catalogue as running. */
    void (*started)(const RunRow *row, void *user);
    /* The row is in the catalogue with its end. */
    void (*ended)(const RunRow *row, void *user);
    void *user;
} RunsWorld;

Runs *runs_new(const RunsWorld *world, GError **error);
void runs_free(Runs *runs); /* lets them run */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Runs, runs_free)

/* From now on this one. */
void runs_configure(Runs *runs, const Configuration *configuration);

/* At the start: those of this node that the catalogue has as unfinished are followed, ended as they
 * have ended, or begun. */
bool runs_recover(Runs *runs, GError **error);
/* Those of nodes that are gone: what was not begun there is begun here, the rest has failed. */
bool runs_take_over(Runs *runs, GError **error);

/* What is to be run. Strings are copied. */
typedef struct {
    const Schedule *schedule;
    const char *kind; /* "backup", "sweep" */
    RunTrigger trigger;
    int64_t due_at; /* Unix ms; 0: none */
    int attempt;    /* from 1 */
    const char *user;
} RunOrder;

/* Claimed for this node and begun, unless it was claimed before. If a run of the schedule is under
 * way this one has failed, "concurrent", and is history. ret_id may be NULL; *ret_id is NULL when
 * it was claimed before. Fails when the catalogue cannot be written: try again. */
bool runs_order(Runs *runs, const RunOrder *order, char **ret_id, GError **error);

/* In its detail: somebody else's process makes it, and we only follow. */
#define RUN_BY_HAND "by_hand"
/* Such a run is entered as under way; its process tells in the file *ret_events, which is there and
 * empty. BS_ERROR_LOCKED: "concurrent", and it is history. */
bool runs_begin_by_hand(Runs *runs, const RunOrder *order, char **ret_id, char **ret_events,
                        GError **error);
/* A sweep is no backup of its schedule: under what it is in the catalogue. */
char *run_schedule_id(const char *kind, const Schedule *schedule);

#define RUNS_TASKS_MAX 4u /* at once */

/* A task: command lines, each with the word for its stage ([{"stage", "argv"}], argv without the
 * program), as one run of a kind of its own. Borrowed, all of it. */
typedef struct {
    const char *id;   /* run_id_new() */
    const char *kind; /* "restore", "import", "forget" */
    const char *repository;
    const json_t *steps;
    const json_t *about; /* for the history: "task" of its detail; "target" is what it writes to */
    const char *user;
} TaskOrder;

/* Entered and begun, as runs_order(); what keeps it from beginning is its end, and history.
 * BS_ERROR_TRANSIENT: RUNS_TASKS_MAX are under way. */
bool runs_order_task(Runs *runs, const TaskOrder *order, GError **error);
/* A run or task that is under way here works on it. */
bool runs_use(const Runs *runs, const char *repository);
bool runs_have_target(const Runs *runs, const char *target);

/* Asks it to end, and makes it after a while. BS_ERROR_NOT_FOUND: it is not here; _DENIED: its
 * process is another user's. */
bool runs_cancel(Runs *runs, const char *id, GError **error);
/* Ends all cleanly, for the one who comes after us to begin them again. Those that are units of
 * their own go on. */
void runs_stop(Runs *runs);

int runs_fd(const Runs *runs);                       /* to be polled: some file has grown */
void runs_handle(Runs *runs);                        /* it has */
bool runs_reaped(Runs *runs, pid_t pid, int status); /* of waitpid(2); false: not one of ours */
/* Does what it is time for; returns when to be called again, in ms from now, at most. */
int64_t runs_turn(Runs *runs);

guint runs_count(const Runs *runs);
/* Which end with us: neither units nor those made by hand. */
guint runs_count_own(const Runs *runs);
/* Whose state the catalogue has not yet. */
bool runs_are_saved(const Runs *runs);
bool runs_has_schedule(const Runs *runs, const char *schedule);
/* An array of objects, for "status". */
json_t *runs_describe(const Runs *runs);
/* The row as events and "status" show it. */
json_t *run_describe(const RunRow *row, const json_t *status);
