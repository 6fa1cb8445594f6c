/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/runspec.h"

#include "base/error.h"
#include "daemon/places.h"
#include "op/run.h"
#include "op/specfile.h"
#include "state/runs.h"
#include <string.h>

void run_spec_clear(RunSpec *spec)
{
    g_free(spec->id);
    schedule_free(spec->own);
    g_clear_pointer(&spec->sources, g_ptr_array_unref);
    configuration_free(spec->configuration);
    json_decref(spec->history);
    installation_places_clear(&spec->installation);
    *spec = (RunSpec){ 0 };
}

/* What the schedule names. */
static bool find_parts(RunSpec *spec, GError **error)
{
    const Schedule *schedule = spec->schedule;

    spec->repository = configuration_repository(spec->configuration, schedule->repository);
    if (!spec->repository) {
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "schedule %s: no repository %s",
                    schedule->name, schedule->repository);
        return false;
    }
    spec->sources = g_ptr_array_new();
    for (char **name = schedule->sources; name && *name; name++) {
        const SourceConfig *source = configuration_source(spec->configuration, *name);

        if (!source) {
            g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "schedule %s: no source %s",
                        schedule->name, *name);
            return false;
        }
        g_ptr_array_add(spec->sources, (gpointer)source);
    }
    if (spec->sources->len > 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "schedule %s: no sources", schedule->name);
    return false;
}

/* ---- by name ---- */

/* The catalogue of the daemon that reads the same file, if there is one. */
static void place_installation(RunSpec *spec)
{
    const Configuration *configuration = spec->configuration;
    const ServerConfig *server = &configuration->server;

    spec->has_installation = true;
    spec->installation = (InstallationPlaces){
        .config = configuration->path ? g_canonicalize_filename(configuration->path, NULL) : NULL,
        .catalogue = server->catalogue ? g_strdup(server->catalogue) : places_catalogue(),
        .catalogue_password = g_strdup(server->catalogue_password),
    };
}

bool run_spec_of_name(const char *config, const char *name, RunSpec *ret_spec, GError **error)
{
    g_auto(RunSpec) spec = { .trigger = TRIGGER_MANUAL };

    if (!configuration_load(config, &spec.configuration, error))
        return false;
    spec.schedule = configuration_schedule(spec.configuration, name);
    if (!spec.schedule) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "no schedule %s in %s; `backstay config show` lists them", name,
                    spec.configuration->path ? spec.configuration->path : "the environment");
        return false;
    }
    if (!find_parts(&spec, error))
        return false;
    spec.id = run_id_new();
    place_installation(&spec);
    *ret_spec = spec;
    spec = (RunSpec){ 0 };
    return true;
}

/* ---- from the daemon ---- */

/* In the shape of the file, without the schedule: of that one there is a definition, complete. */
static bool load_parts(const json_t *root, const char *repository, Configuration **ret,
                       GError **error)
{
    json_t *tree =
        json_pack("{s:{s:O?}, s:O?}", "repositories", repository,
                  json_object_get(root, "repository"), "sources", json_object_get(root, "sources"));
    bool ok = tree ? configuration_from_json(tree, ret, error)
                   : spec_file_broken("it has no repository or no sources", error);

    json_decref(tree);
    return ok;
}

static bool load_schedule(const json_t *root, RunSpec *spec, GError **error)
{
    const char *id = json_string_value(json_object_get(root, "schedule_id"));

    // of the names only those count that find_parts() looks for: whom to tell is the daemon's
    // business
    if (!schedule_from_json(NULL, json_object_get(root, "schedule"), &spec->own, error))
        return false;
    if (id) {
        g_free(spec->own->id);
        spec->own->id = g_strdup(id);
    }
    spec->schedule = spec->own;
    return true;
}

static char *text_of(const json_t *object, const char *key)
{
    return g_strdup(json_string_value(json_object_get(object, key)));
}

static void load_installation(const json_t *root, RunSpec *spec)
{
    const json_t *object = json_object_get(root, "installation");

    spec->installation = (InstallationPlaces){
        .config = text_of(object, "config"),
        .catalogue = text_of(object, "catalogue"),
        .catalogue_password = text_of(object, "catalogue_password"),
        .has_catalogue = true,
    };
    spec->has_installation = spec->installation.catalogue != NULL;
}

static bool decode(const json_t *root, void *into, GError **error)
{
    RunSpec *spec = into;
    const json_t *schedule = json_object_get(root, "schedule");
    const char *id = json_string_value(json_object_get(root, "run"));
    const char *trigger = json_string_value(json_object_get(root, "trigger"));
    const char *repository = json_string_value(json_object_get(schedule, "repository"));
    const char *kind = json_string_value(json_object_get(root, "kind"));

    if (!id || !run_id_is_valid(id) || !trigger || !repository)
        return spec_file_broken("it lacks run, trigger, or a schedule with a repository", error);
    spec->id = g_strdup(id);
    spec->sweep = kind && strcmp(kind, "sweep") == 0;
    spec->history = json_incref(json_object_get(root, "history"));
    load_installation(root, spec);
    return run_trigger_parse(trigger, &spec->trigger, error) &&
           load_parts(root, repository, &spec->configuration, error) &&
           load_schedule(root, spec, error) && find_parts(spec, error);
}

bool run_spec_load(const char *path, RunSpec *ret_spec, GError **error)
{
    g_auto(RunSpec) spec = { 0 };

    if (!spec_file_load(path, decode, &spec, error))
        return false;
    *ret_spec = spec;
    spec = (RunSpec){ 0 };
    return true;
}
