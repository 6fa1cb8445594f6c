/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/config.h"

#include "base/error.h"
#include "base/plural.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "config/overlap.h"
#include <string.h>

static const char *place_of(const char *path)
{
    return path ? path : "the environment";
}

static void tell_warnings(const GPtrArray *warnings)
{
    for (guint i = 0; i < warnings->len; i++)
        fprintf(stderr, "warning: %s\n", (const char *)warnings->pdata[i]);
}

static json_t *list_of(const GPtrArray *texts)
{
    json_t *list = json_array();

    for (guint i = 0; i < texts->len; i++)
        json_array_append_new(list, json_bytes(texts->pdata[i]));
    return list;
}

static void tell_good(const Context *context, const Configuration *configuration)
{
    g_autoptr(GPtrArray) warnings = configuration_overlaps(configuration);
    guint repositories = g_hash_table_size(configuration->repositories),
          sources = g_hash_table_size(configuration->sources),
          schedules = g_hash_table_size(configuration->schedules);

    if (context->settings->json)
        output_json(json_pack("{s:s, s:s?, s:b, s:[], s:o}", "message_type", "config_check", "path",
                              configuration->path, "valid", 1, "problems", "warnings",
                              list_of(warnings)));
    else
        tell_warnings(warnings);
    if (!context->settings->json && !context->settings->quiet)
        printf("%s: good: %u %s, %u %s, %u %s\n", place_of(configuration->path), repositories,
               plural(repositories, "repository", "repositories"), sources,
               plural(sources, "source", "sources"), schedules,
               plural(schedules, "schedule", "schedules"));
}

static guint tell_problems(const Context *context, const char *path, const GError *problems)
{
    g_auto(GStrv) lines = g_strsplit(problems->message, "\n", -1);

    if (context->settings->json)
        output_json(json_pack("{s:s, s:s?, s:b, s:o}", "message_type", "config_check", "path", path,
                              "valid", 0, "problems", json_strv(lines)));
    else
        printf("%s\n", problems->message);
    return g_strv_length(lines);
}

static bool load(const Context *context, Configuration **ret_configuration, GError **error)
{
    return configuration_load(context->settings->config, ret_configuration, error);
}

static bool check(const Context *context, GError **error)
{
    g_autoptr(Configuration) configuration = NULL;
    g_autoptr(GError) problems = NULL;
    g_autofree char *path = configuration_path(context->settings->config);
    guint n;

    if (load(context, &configuration, &problems)) {
        tell_good(context, configuration);
        return true;
    }
    if (!g_error_matches(problems, BS_ERROR, BS_ERROR_CONFIG)) {
        g_propagate_error(error, g_steal_pointer(&problems));
        return false;
    }
    n = tell_problems(context, path, problems);
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "%u %s in %s", n,
                plural(n, "problem", "problems"), place_of(path));
    return false;
}

static bool show(const Context *context, GError **error)
{
    g_autoptr(Configuration) configuration = NULL;

    if (!load(context, &configuration, error))
        return false;
    config_show(configuration, context->settings->json);
    return true;
}

static bool generate(G_GNUC_UNUSED const Context *context, G_GNUC_UNUSED GError **error)
{
    config_generate(stdout);
    return true;
}

static const struct {
    const char *name;
    bool (*run)(const Context *context, GError **error);
} actions[] = {
    { "check", check },
    { "show", show },
    { "generate", generate },
};

static bool config_run(const Context *context, G_GNUC_UNUSED void *request, char **operands,
                       GError **error)
{
    if (!operands_between(operands, 1, 1, "check, show or generate", error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(actions); i++)
        if (strcmp(operands[0], actions[i].name) == 0)
            return actions[i].run(context, error);
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "config %s: must be check, show or generate",
                operands[0]);
    return false;
}

const Command config_command = {
    .name = "config",
    .operands = "check|show|generate",
    .summary = "look at the configuration",
    .description =
        "  check     every problem of the file with its line and column; exit status 20; and "
        "warnings, which are none\n"
        "  show      the values that count, and where each comes from; secrets are not shown\n"
        "  generate  a commented example to begin with\n\n"
        "The file is that of --config, $BACKSTAY_CONFIG, ~/.config/backstay/backstay.yaml or "
        "/etc/backstay/backstay.yaml;\n"
        "without one, and with ENABLE_BACKUPS=true, the environment is the configuration. "
        "backstay.yaml(5) explains every key.",
    .run = config_run,
};
