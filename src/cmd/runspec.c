/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/runspec.h"

#include "base/error.h"
#include "base/fs.h"
#include "op/run.h"
#include <string.h>

#define SPEC_MAX (4u * 1024 * 1024)
#define ID_LEN_  32

void run_spec_clear(RunSpec *spec)
{
    g_free(spec->id);
    schedule_free(spec->own);
    g_clear_pointer(&spec->sources, g_ptr_array_unref);
    configuration_free(spec->configuration);
    json_decref(spec->history);
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
    spec.id = run_new_id();
    *ret_spec = spec;
    spec = (RunSpec){ 0 };
    return true;
}

/* ---- from the daemon ---- */

static bool is_id(const char *text)
{
    return text && strlen(text) == ID_LEN_ && strspn(text, "0123456789abcdef") == ID_LEN_;
}

static bool broken(const char *what, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "%s", what);
    return false;
}

/* In the shape of the file, without the schedule: of that one there is a definition, complete. */
static bool load_parts(const json_t *root, const char *repository, Configuration **ret,
                       GError **error)
{
    json_t *tree =
        json_pack("{s:{s:O?}, s:O?}", "repositories", repository,
                  json_object_get(root, "repository"), "sources", json_object_get(root, "sources"));
    bool ok = tree ? configuration_from_json(tree, ret, error)
                   : broken("it has no repository or no sources", error);

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

static bool decode(const json_t *root, RunSpec *spec, GError **error)
{
    const json_t *schedule = json_object_get(root, "schedule");
    const char *id = json_string_value(json_object_get(root, "run"));
    const char *trigger = json_string_value(json_object_get(root, "trigger"));
    const char *repository = json_string_value(json_object_get(schedule, "repository"));

    if (!is_id(id) || !trigger || !repository)
        return broken("it lacks run, trigger, or a schedule with a repository", error);
    spec->id = g_strdup(id);
    spec->history = json_incref(json_object_get(root, "history"));
    return run_trigger_parse(trigger, &spec->trigger, error) &&
           load_parts(root, repository, &spec->configuration, error) &&
           load_schedule(root, spec, error) && find_parts(spec, error);
}

bool run_spec_load(const char *path, RunSpec *ret_spec, GError **error)
{
    g_auto(RunSpec) spec = { 0 };
    g_autoptr(GBytes) bytes = NULL;
    json_error_t where;
    json_t *root;
    bool ok;

    if (!fs_read_file(path, SPEC_MAX, &bytes, error))
        return false;
    root = json_loadb(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
                      JSON_REJECT_DUPLICATES, &where);
    ok = root ? decode(root, &spec, error) : broken(where.text, error);
    json_decref(root);
    if (!ok) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    *ret_spec = spec;
    spec = (RunSpec){ 0 };
    return true;
}
