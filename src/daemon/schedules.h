/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schedules of the configuration and of the catalogue, and when each is due: plan/due.h with
 * what the catalogue keeps. One thread; the catalogue's.
 */
#pragma once
#include "config/configuration.h"
#include "state/catalog.h"

typedef struct Schedules Schedules;

/* What is due. False: it could not be ordered, and is due again in a moment. */
typedef bool (*SchedulesOrder)(const Schedule *schedule, const char *kind, RunTrigger trigger,
                               int64_t due_at, int attempt, void *user);

/* Borrowed, both; the catalogue for as long as the schedules are there. */
Schedules *schedules_new(Catalog *catalog, SchedulesOrder order, void *user);
void schedules_free(Schedules *schedules);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Schedules, schedules_free)

/* Takes those of the configuration, which is borrowed until the next call, and reads those of the
 * catalogue again. On failure everything is as it was. now: Unix seconds. */
bool schedules_load(Schedules *schedules, const Configuration *configuration, int64_t now,
                    GError **error);

/* Orders what is due; returns when to look again (Unix seconds, DUE_NEVER). clock_was_set: nothing
 * that was worked out before counts. */
int64_t schedules_look(Schedules *schedules, int64_t now, bool clock_was_set);

/* A run of a schedule has ended: a failed one is tried again, if that is wanted. */
void schedules_ended(Schedules *schedules, const RunRow *row, int64_t now);

guint schedules_count(const Schedules *schedules);
/* Of const Schedule *, all of them, borrowed until they are loaded again. */
GPtrArray *schedules_list(const Schedules *schedules);
/* By id, or by the name of one; NULL. */
const Schedule *schedules_find(const Schedules *schedules, const char *id);
/* An array of objects, for "status"; running: of which schedules one is under way. */
json_t *schedules_describe(const Schedules *schedules, int64_t now,
                           bool (*running)(const char *schedule, void *user), void *user);
