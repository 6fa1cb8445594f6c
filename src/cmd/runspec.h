/* SPDX-License-Identifier: Apache-2.0 */
/* What a run is to do: named in the configuration, or handed over by the daemon in a file. */
#pragma once
#include "config/configuration.h"
#include "op/installation.h"
#include "state/runstate.h"

typedef struct {
    char *id; /* 32 hexadecimal digits */
    RunTrigger trigger;
    bool sweep; /* only retention */
    Configuration *configuration;
    const Schedule *schedule; /* of the configuration, or: */
    Schedule *own;
    GPtrArray *sources; /* of const SourceConfig *, in order */
    const RepositoryConfig *repository;
    json_t *history; /* source -> sizes; NULL: not known */
    InstallationPlaces installation;
    bool has_installation; /* it goes into the repository with the run */
} RunSpec;

/* config: the file; NULL for the usual one. BS_ERROR_CONFIG; BS_ERROR_NOT_FOUND: no schedule of
 * that name. */
bool run_spec_of_name(const char *config, const char *name, RunSpec *ret_spec, GError **error);
/* {"run": id, "kind": "backup" or "sweep", "trigger": word, "schedule": {definition},
 * "schedule_id": id, "sources": {name: {}}, "repository": {}, "history": {name: [bytes]},
 * "installation": {"config", "catalogue", "catalogue_password"}}, in the canonical form of the
 * configuration. schedule_id may be missing: the name is the id then; so may kind, history and
 * installation. BS_ERROR_CONFIG. */
bool run_spec_load(const char *path, RunSpec *ret_spec, GError **error);
void run_spec_clear(RunSpec *spec);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunSpec, run_spec_clear)
