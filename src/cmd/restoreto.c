/* SPDX-License-Identifier: Apache-2.0 */
/* Targets of a restore that are named, as sources of the configuration, and what fits them. */
#include "base/error.h"
#include "base/secret.h"
#include "cmd/restore.h"
#include "config/configuration.h"
#include "config/types.h"
#include "op/runplace.h"
#include <string.h>

/* ---- "@NAME" ---- */

static bool no_target(const char *name, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "--to @%s: is no database, Redis server or volume; restore it with --target DIR",
                name);
    return false;
}

static bool take(const Context *context, const char *name, const char *database,
                 RestoreOptions *options, GError **error)
{
    g_autoptr(Configuration) configuration = NULL;
    const SourceConfig *source;
    char **operands;

    if (!configuration_load(context->settings->config, &configuration, error))
        return false;
    source = configuration_source(configuration, name);
    if (!source) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--to @%s: the configuration has no source of that name; see `backstay config "
                    "show`",
                    name);
        return false;
    }
    if (!source_config_is_server(source) && (database || !source_config_is_place(source)))
        return no_target(name, error);
    if (!run_place_operands(source, &operands, error))
        return false;
    g_free(options->to);
    options->to = database ? url_with_database(operands[0], database) : g_strdup(operands[0]);
    options->named = g_strdup(name);
    run_place_wipe(operands);
    return true;
}

bool restore_take_named(const Context *context, RestoreOptions *options, GError **error)
{
    g_autofree char *name = NULL;
    g_autofree char *database = NULL;
    const char *slash;

    if (!options->to || options->to[0] != '@')
        return true;
    slash = strchr(options->to, '/');
    name = slash ? g_strndup(options->to + 1, (gsize)(slash - options->to) - 1)
                 : g_strdup(options->to + 1);
    if (slash && !slash[1]) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--to %s: there is no database behind the /",
                    options->to);
        return false;
    }
    database = slash ? g_strdup(slash + 1) : NULL;
    return take(context, name, database, options, error);
}

void restore_wipe_named(RestoreOptions *options)
{
    if (options->named && options->to)
        secret_wipe(options->to, strlen(options->to)); // its password stands in it
    g_clear_pointer(&options->named, g_free);
}

/* ---- options ---- */

bool restore_is_about_database(const RestoreOptions *options)
{
    return options->databases || options->tables || options->schemas || options->create ||
           options->no_owner || options->no_acl || options->globals || options->jobs ||
           options->if_exists;
}
