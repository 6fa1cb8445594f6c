/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/namedsource.h"

#include "base/error.h"
#include "config/configuration.h"
#include "config/types.h"
#include "op/facts.h"
#include "op/runplace.h"
#include "op/secretsource.h"
#include <string.h>

/* ---- which words are operands ---- */

static bool takes_word(const GOptionEntry *options, const char *word)
{
    bool is_long = g_str_has_prefix(word, "--");

    if (strchr(word, '='))
        return false;
    for (; options && options->long_name; options++)
        if (options->arg_description && (is_long ? strcmp(word + 2, options->long_name) == 0
                                                 : options->short_name == word[strlen(word) - 1]))
            return true;
    return false;
}

/* Whether this word is the value of the one before. */
static bool is_value(const Command *command, const char *before)
{
    return before[0] == '-' && before[1] && strcmp(before, "--") != 0 &&
           (takes_word(command->options, before) || takes_word(global_options, before) ||
            takes_word(gathered_options, before));
}

/* The place of "@NAME"; 0: there is none. *ret_others: operands beside it. */
static guint find_named(const Command *command, char *const *argv, guint *ret_others)
{
    bool only_operands = false;
    guint found = 0;

    *ret_others = 0;
    for (guint i = 1; argv[i]; i++) {
        if (!only_operands && (is_value(command, argv[i - 1]) || strcmp(argv[i], "--") == 0)) {
            only_operands = strcmp(argv[i], "--") == 0 && !is_value(command, argv[i - 1]);
            continue;
        }
        if (!only_operands && argv[i][0] == '-' && argv[i][1])
            continue;
        if (!found && argv[i][0] == '@' && argv[i][1])
            found = i;
        else
            ++*ret_others;
    }
    return found;
}

/* --config may stand behind the command, and is not parsed yet. */
static const char *config_of(const Command *command, char *const *argv, const Settings *settings)
{
    const char *path = settings->config;

    for (guint i = 1; argv[i] && strcmp(argv[i], "--") != 0; i++) {
        if (g_str_has_prefix(argv[i], "--config="))
            path = argv[i] + strlen("--config=");
        else if (strcmp(argv[i], "--config") == 0 && argv[i + 1] && !is_value(command, argv[i - 1]))
            path = argv[i + 1];
    }
    return path;
}

/* ---- as if it were typed ---- */

static char **retyped(char *const *argv, guint place, const SourceConfig *source,
                      const char *database)
{
    g_auto(GStrv) options = source_config_arguments(source);
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();

    g_strv_builder_add(words, argv[0]);
    g_strv_builder_addv(words, (const char **)options);
    for (guint i = 1; argv[i]; i++) {
        if (i == place && database) {
            g_autofree char *url = url_with_database(source->url, database);

            g_strv_builder_add(words, url);
        } else if (i == place)
            g_strv_builder_addv(words, (const char **)source->operands);
        else
            g_strv_builder_add(words, argv[i]);
    }
    return g_strv_builder_end(words);
}

bool named_source_expand(const Command *command, char ***argv, Settings *settings, GError **error)
{
    guint others, place = find_named(command, *argv, &others);
    const char *name = place ? (*argv)[place] + 1 : NULL;
    g_autoptr(Configuration) configuration = NULL;
    g_autofree char *whole = NULL;
    const SourceConfig *source;
    char *database;
    char **words;

    if (!place || g_file_test((*argv)[place], G_FILE_TEST_EXISTS)) // a path, as it always was
        return true;
    if (others > 0) {
        g_set_error(
            error, BS_ERROR, BS_ERROR_USAGE,
            "@%s has options of its own and stands alone; save the others with a command of "
            "their own",
            name);
        return false;
    }
    if (!configuration_load(config_of(command, *argv, settings), &configuration, error))
        return false;
    whole = g_strdup(name);
    database = strchr(whole, '/');
    if (database)
        *database++ = '\0';
    source = configuration_source(configuration, whole);
    if (!source || (database && (!*database || !source->url))) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the configuration%s%s has no source \"%s\"; see `backstay config show`",
                    configuration->path ? " " : "", configuration->path ? configuration->path : "",
                    name);
        return false;
    }
    words = retyped(*argv, place, source, database);
    g_strfreev(*argv);
    *argv = words;
    settings->source_name = g_strdup(whole);
    settings->source_password = g_strdup(source->password);
    return true;
}

/* ---- as a run saves it ---- */

bool named_source_facts(const Context *context, char *const *operands, const GPtrArray *sources,
                        GError **error)
{
    const char *name = context->settings->source_name;
    g_autoptr(Configuration) configuration = NULL;
    g_auto(GStrv) hidden = NULL;
    FactsFrom from = { .operands = operands, .cancel = context->cancel };

    if (!name)
        return true;
    if (!configuration_load(context->settings->config, &configuration, error))
        return false;
    from.config = configuration_source(configuration, name);
    if (!from.config) {
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                    "the configuration has changed and has no source \"%s\" now", name);
        return false;
    }
    from.hidden = hidden = run_place_hidden_all(configuration);
    for (guint i = 0; i < sources->len; i++) {
        secret_source_mark(from.config, sources->pdata[i]);
        if (!facts_gather(&from, sources->pdata[i], error))
            return false;
    }
    return true;
}
