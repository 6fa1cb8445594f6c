/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures what no run tells: how full repositories are, how far the WAL of clusters is archived
 * and whether it is whole (daemon/measured.h). Starts the command line for it, one child at a time,
 * and never waits for one. Of several daemons whoever is first measures for all. The scheduler's
 * thread.
 */
#pragma once
#include "config/configuration.h"
#include "daemon/measured.h"
#include "state/catalog.h"
#include <sys/types.h>

typedef struct Survey Survey;

/* All borrowed. config: the file, or NULL. */
Survey *survey_new(const char *program, const char *config, Catalog *catalog);
/* A child that is under way is ended. */
void survey_free(Survey *survey);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Survey, survey_free)

/* Starts what is due, ends what takes too long; returns when to be called again, in ms. */
int64_t survey_turn(Survey *survey, const Configuration *configuration,
                    const Schedule *const *schedules, size_t n);
/* False: it is no child of ours. */
bool survey_reaped(Survey *survey, pid_t pid, int status);
/* Whether something was measured since the last call. */
bool survey_has_news(Survey *survey);

/* The URL after "pgcluster:" when the source is a cluster whose server can be asked; NULL. */
const char *survey_server_of(const Configuration *configuration, const char *source);
/* What stands there; NULL: never measured, or the catalogue cannot be read. A new reference. */
json_t *survey_row(Catalog *catalog, MeasureKind kind, const char *repository, const char *source);
