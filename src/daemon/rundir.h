/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory of a run, runs/<id>: what it is to do (spec.json), what it tells (events), and what
 * it has printed (output).
 */
#pragma once
#include "config/configuration.h"
#include "daemon/places.h"
#include "state/catalog.h"

#define RUN_DIRS_KEPT    1000u
#define RUN_DIRS_KEPT_MS (INT64_C(30) * 86400 * 1000)

/*
 * What a run is handed: {"run", "kind", "trigger", "schedule": {...}, "sources": {name: {...}},
 * "repository": {...}, "history": {source: [bytes of its last runs]}, "installation": {"config":
 * path or null, "catalogue": URL, "catalogue_password": reference or null}}, all in the canonical
 * form of config/. Secrets are references. BS_ERROR_CONFIG: a name in the schedule is none any
 * more.
 */
bool run_spec(const Configuration *configuration, const Schedule *schedule, Catalog *catalog,
              const RunRow *row, json_t **ret_spec, GError **error);

/* The directory, and the spec in it, durable. */
bool run_dir_make(const char *dir, const json_t *spec, GError **error);
bool run_dir_has_spec(const char *dir);
/* Its standard output and error go there; -1 with error. */
int run_dir_output(const char *dir, GError **error);
/* The last line of that, for a message; NULL: there is none. */
char *run_dir_last_line(const char *dir);
/* So that it can be begun again: what it has told is kept under another name. */
bool run_dir_reset(const char *dir, unsigned attempt, GError **error);

/* A directory that holds files only, with them. False: errno says why it is still there. */
bool run_dir_remove(const char *dir);
/* Removes those of the oldest runs; keep: a set of ids that stay. What cannot be removed is
 * logged. */
void run_dirs_clean(const Places *places, GHashTable *keep, int64_t now_ms);
