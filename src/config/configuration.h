/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backstay.yaml, typed: what is backed up, where to, when, who is told. The tables that check the
 * file also check what the HTTP API is given, as JSON of the same shape; problems name line and
 * column there and a JSON pointer here. Values, not secrets: a secret stays a Reference until it is
 * used; any other value of the file may be env://NAME, file:///PATH or cred://NAME and is looked up
 * when it is loaded. Never changed once it is loaded, so threads may share it; a reload makes a new
 * one.
 */
#pragma once
#include "config/channel.h"
#include "config/repository.h"
#include "config/schedule.h"
#include "config/server.h"
#include "config/source.h"

typedef struct {
    char *path; /* NULL: from the environment alone */
    GHashTable *repositories, *sources, *schedules, *channels; /* name -> the structs above */
    ServerConfig server;
    json_t *tree;      /* canonical and complete, as in the file: what `config show` prints */
    json_t *given;     /* as it was written */
    GHashTable *marks; /* JSON pointer -> where it stands (config/yaml.h) */
} Configuration;

/*
 * path: NULL for $BACKSTAY_CONFIG, then the usual places (conventions, section 4), then the
 * environment alone (config/fromenv.h); with nothing at all there it is empty. BS_ERROR_CONFIG: all
 * problems at once, a line each: "backstay.yaml:12:7: schedules.nightly.cron: ...".
 * BS_ERROR_NOT_FOUND: there is no file of that path.
 */
bool configuration_load(const char *path, Configuration **ret, GError **error);
/* The same of a text; name is for the errors, and with NULL they bear JSON pointers. */
bool configuration_parse(const char *name, const char *text, size_t len, Configuration **ret,
                         GError **error);
/* The same of JSON in the shape of the file, such as .tree: what a run is handed. Nothing is looked
 * up. Errors bear JSON pointers. */
bool configuration_from_json(const json_t *tree, Configuration **ret, GError **error);
void configuration_free(Configuration *configuration);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Configuration, configuration_free)

/* Which file would be loaded; NULL: none. To be freed. */
char *configuration_path(const char *path);

/* NULL: there is none of that name. Borrowed. */
const RepositoryConfig *configuration_repository(const Configuration *in, const char *name);
const SourceConfig *configuration_source(const Configuration *in, const char *name);
const Schedule *configuration_schedule(const Configuration *in, const char *name);

/*
 * One schedule, as the catalogue has it; "defaults" do not count, since what it was made of is
 * already complete. in: names are checked against it; NULL: they are not. Its id is its name.
 * BS_ERROR_CONFIG: a line for each problem, "/cron: ...".
 */
bool schedule_from_json(const Configuration *in, const json_t *definition, Schedule **ret,
                        GError **error);
/* The same of what the HTTP API is given, by somebody who may not have the rights that a run has:
 * no hooks and no references, and what it leaves open comes from the file's "defaults". problems:
 * where to add them instead of one error; may be NULL. */
bool schedule_from_api(const Configuration *in, const json_t *definition, Problems *problems,
                       Schedule **ret, GError **error);
