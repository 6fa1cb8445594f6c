/* SPDX-License-Identifier: Apache-2.0 */
#include "op/adopt.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/plural.h"
#include "cmd/adoptshow.h"
#include "cmd/commands.h"
#include "config/configuration.h"
#include "daemon/places.h"
#include "op/catalogrebuild.h"
#include "op/open.h"
#include "plan/duration.h"
#include <string.h>
#include <unistd.h>

#define PAUSE "1d"

typedef struct {
    char *catalogue, *host, *copy, *pause;
    gboolean list, preview, force;
} AdoptOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(AdoptOptions, member))

static const GOptionEntry adopt_options[] = {
    { "list", 0, 0, ARG_FLAG, AT(list), "only list the copies that are there", NULL },
    { "preview", 'n', 0, ARG_FLAG, AT(preview), "only say what would be written", NULL },
    { "host", 0, 0, ARG_TEXT, AT(host), "the host to take over, when there are several", "NAME" },
    { "copy", 0, 0, ARG_TEXT, AT(copy), "this copy instead of the newest (see --list)", "ID" },
    { "catalogue", 0, 0, ARG_TEXT, AT(catalogue),
      "where the catalogue goes: sqlite:/path or postgresql://... (default: as configured)",
      "URL" },
    { "pause", 0, 0, ARG_TEXT, AT(pause),
      "how long no schedule runs by itself, so that nothing is backed up before it was restored "
      "(default " PAUSE "; 0h: not at all)",
      "DURATION" },
    { "force", 0, 0, ARG_FLAG, AT(force),
      "also when there is a configuration or catalogue; the old ones are kept under other names",
      NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

/* ---- what was asked for ---- */

static bool pause_until(const AdoptOptions *options, int64_t *ret_until, GError **error)
{
    int64_t now = clock_now().sec;
    Duration pause;

    if (!duration_parse(options->pause ? options->pause : PAUSE, &pause, error)) {
        g_prefix_error(error, "--pause: ");
        return false;
    }
    *ret_until =
        duration_is_zero(&pause) ? 0 : (now + (now - duration_before(&pause, now, NULL))) * 1000;
    return true;
}

/* Where a host without one has its configuration (conventions, section 4). */
static char *config_place(const Settings *settings)
{
    char *found = configuration_path(settings->config);

    if (found || geteuid() == 0)
        return found ? found : g_strdup("/etc/backstay/backstay.yaml");
    return g_build_filename(g_get_user_config_dir(), "backstay", "backstay.yaml", NULL);
}

/* As a configuration would have it. */
static char *location_of(const char *location)
{
    return strstr(location, "s3:") == location ? g_strdup(location)
                                               : g_canonicalize_filename(location, NULL);
}

/* ---- the catalogue ---- */

static char *catalogue_place(const AdoptOptions *options, const AdoptNeeds *needs)
{
    if (options->catalogue)
        return g_strdup(options->catalogue);
    return needs->catalogue ? g_strdup(needs->catalogue) : places_catalogue();
}

/* A server's password may be one of those that nobody has brought here yet. */
static bool check_catalogue(const AdoptOptions *options, const AdoptNeeds *needs,
                            Adoption *adoption, GError **error)
{
    bool server = strstr(adoption->catalogue, "postgres") == adoption->catalogue;

    if (server && needs->catalogue_password &&
        !reference_resolve("server.catalogue_password", needs->catalogue_password,
                           &adoption->password, NULL)) {
        adoption->catalogue_waits = true;
        return true;
    }
    return adopt_check_catalogue(adoption->catalogue, adoption->password, options->force,
                                 &adoption->catalogue_missing, &adoption->catalogue_shared, error);
}

static bool fill_catalogue(const Context *context, OpenRepo *open, const char *location,
                           const AdoptNeeds *needs, Adoption *adoption, GError **error)
{
    g_autoptr(Catalog) catalog = NULL;
    const char *repository = needs->repository ? needs->repository : location;

    if (adoption->catalogue_waits || adoption->catalogue_shared)
        return true;
    return adopt_fill_catalogue(adoption->chosen, needs, adoption->catalogue, adoption->password,
                                adoption->catalogue_missing, adoption->paused_until, &catalog,
                                &adoption->catalogue_aside, error) &&
           op_catalog_rebuild(open, repository, catalog, context->cancel, &adoption->rebuilt,
                              error);
}

/* ---- the road ---- */

static bool adopt(const Context *context, const AdoptOptions *options, OpenRepo *open,
                  const char *location, const GPtrArray *list, GError **error)
{
    g_auto(AdoptNeeds) needs = { 0 };
    g_auto(Adoption) adoption = { .config = config_place(context->settings),
                                  .location = location,
                                  .needs = &needs,
                                  .preview = options->preview };

    if (!pause_until(options, &adoption.paused_until, error) ||
        !adopt_choose(open->repo, list, options->host, options->copy, &adoption.chosen, error) ||
        !adopt_needs(adoption.chosen, location, &needs, error))
        return false;
    adoption.catalogue = catalogue_place(options, &needs);
    if (!adopt_check_config(adoption.chosen, adoption.config, options->force, &adoption.config_same,
                            error) ||
        !check_catalogue(options, &needs, &adoption, error))
        return false;
    // a daemon that finds a configuration runs what the catalogue does not say is paused
    if (!options->preview &&
        (!fill_catalogue(context, open, location, &needs, &adoption, error) ||
         (!adoption.config_same &&
          !adopt_write_config(adoption.chosen, adoption.config, &adoption.config_aside, error))))
        return false;
    adopt_show(context->settings, &adoption);
    if (!adoption.catalogue_waits || options->preview)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL,
                "the catalogue waits for its password; bring it here, then give this command "
                "once more");
    return false;
}

static bool list_copies(const Context *context, OpenRepo *open, const GPtrArray *list,
                        GError **error)
{
    unsigned unreadable = 0;

    for (guint i = 0; i < list->len; i++)
        if (!cancel_check(context->cancel, error))
            return false;
        else if (!installation_load(open->repo, list->pdata[i], NULL))
            unreadable++;
    adopt_show_list(context->settings, list);
    if (unreadable == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL, "%u %s could not be read", unreadable,
                plural(unreadable, "copy", "copies"));
    return false;
}

static bool adopt_run(const Context *context, void *request, char **operands, GError **error)
{
    const AdoptOptions *options = request;
    Settings settings = *context->settings; // a view: not cleared
    const Context there = { .settings = &settings, .cancel = context->cancel };
    g_autofree char *given = NULL, *location = NULL;
    g_auto(OpenRepo) open = { 0 };
    g_autoptr(GPtrArray) list = NULL;

    if (!operands_between(operands, 0, 1, "[REPO]", error))
        return false;
    if (*operands)
        settings.repo = operands[0];
    if (!settings_repository(&settings, &given, error) ||
        !open_repo(&settings, OPEN_SHARED, true, context->cancel, &open, error) ||
        !installation_list(open.repo, &list, error))
        return false;
    location = location_of(given);
    return options->list ? list_copies(&there, &open, list, error)
                         : adopt(&there, options, &open, location, list, error);
}

const Command adopt_command = {
    .name = "adopt",
    .operands = "[REPO]",
    .summary = "begin anew with what another host has left in the repository",
    .description =
        "Each run leaves a sealed copy of configuration and catalogue in its repository. On a new "
        "host, with nothing but the\n"
        "repository and its password, this writes both: the configuration as it was, schedules of "
        "the API, users without their\n"
        "passwords, and the history of runs. It names every secret that has to be brought here "
        "by other means.\n\n"
        "No schedule runs by itself for a day (--pause), so that no empty database is backed up "
        "before it was restored. An\n"
        "existing configuration or catalogue is not replaced without --force.",
    .options = adopt_options,
    .request_size = sizeof(AdoptOptions),
    .run = adopt_run,
};
