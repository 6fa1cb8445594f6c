/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "cmd/catalogplace.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "op/catalogrebuild.h"
#include "state/aside.h"
#include "state/audit.h"
#include <string.h>

typedef struct {
    char *at;
} CatalogOptions;

static const GOptionEntry catalog_options[] = {
    CATALOG_AT_OPTION(GSIZE_TO_POINTER(G_STRUCT_OFFSET(CatalogOptions, at))),
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

/* ---- check ---- */

/* Opening it would make one, and find that sound. */
static bool is_there(const CatalogPlace *place, GError **error)
{
    const char *file =
        g_str_has_prefix(place->url, "sqlite:") ? place->url + strlen("sqlite:") : place->url;

    if (*file != '/' || g_file_test(file, G_FILE_TEST_EXISTS))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                "there is no catalogue %s; the daemon makes one when it starts, and `backstay "
                "catalog rebuild` one with the history that a repository knows of",
                file);
    return false;
}

static bool check(const Context *context, const CatalogPlace *place, GError **error)
{
    g_autoptr(Catalog) catalog = NULL;
    g_autofree char *head = NULL;
    int64_t n;

    if (!is_there(place, error) || !catalog_place_open(place, &catalog, error) ||
        !catalog_audit_verify(catalog, &n, &head, error))
        return false;
    if (context->settings->json)
        output_json(json_pack("{s:s, s:s, s:i, s:I, s:s}", "message_type", "summary", "catalogue",
                              catalog_name(catalog), "version", (int)catalog_version(),
                              "audit_lines", (json_int_t)n, "audit_head", head));
    else if (!context->settings->quiet)
        printf("%s is sound; its %" G_GINT64_FORMAT " audit %s an unbroken chain%s%s\n",
               catalog_name(catalog), n, n == 1 ? "line is" : "lines are", n > 0 ? ", head " : "",
               head);
    return true;
}

/* ---- rebuild ---- */

/* A damaged one is set aside, never written over. */
static bool open_or_replace(const CatalogPlace *place, Catalog **ret_catalog, char **ret_aside,
                            GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (catalog_place_open(place, ret_catalog, &failure))
        return true;
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT) ||
        !strstr(failure->message, "damaged")) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    return catalog_set_aside(place->url, "damaged", ret_aside, error) &&
           catalog_place_open(place, ret_catalog, error);
}

static void tell(const Context *context, const Catalog *catalog, const char *aside,
                 const CatalogRebuilt *rebuilt)
{
    if (context->settings->json) {
        output_json(json_pack("{s:s, s:s, s:s?, s:i, s:i, s:i, s:i, s:i}", "message_type",
                              "summary", "catalogue", catalog_name(catalog), "set_aside", aside,
                              "snapshots", (int)rebuilt->snapshots, "snapshots_without_run",
                              (int)rebuilt->without_run, "snapshots_unreadable",
                              (int)rebuilt->unreadable, "runs", (int)rebuilt->runs, "runs_added",
                              (int)rebuilt->added));
        return;
    }
    if (aside)
        fprintf(stderr,
                "the damaged catalogue is kept as %s; users, tokens and schedules of the API were "
                "in it\n",
                aside);
    if (!context->settings->quiet)
        printf("%u of %u runs were new; %u of %u snapshots belong to no run\n", rebuilt->added,
               rebuilt->runs, rebuilt->without_run, rebuilt->snapshots);
}

static bool rebuild(const Context *context, const CatalogPlace *place, GError **error)
{
    g_auto(OpenRepo) open = { 0 };
    g_autoptr(Catalog) catalog = NULL;
    g_autofree char *repository = NULL, *aside = NULL;
    CatalogRebuilt rebuilt;

    // the repository first: without it nothing is touched
    if (!settings_repository(context->settings, &repository, error) ||
        !open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error) ||
        !open_or_replace(place, &catalog, &aside, error))
        return false;
    if (!op_catalog_rebuild(&open, repository, catalog, context->cancel, &rebuilt, error))
        return false;
    tell(context, catalog, aside, &rebuilt);
    if (rebuilt.unreadable == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL, "%u %s could not be read", rebuilt.unreadable,
                rebuilt.unreadable == 1 ? "snapshot" : "snapshots");
    return false;
}

static bool catalog_run_command(const Context *context, void *request, char **operands,
                                GError **error)
{
    g_auto(CatalogPlace) place = { 0 };
    bool rebuilds;

    if (!operands_between(operands, 1, 1, "check or rebuild", error))
        return false;
    rebuilds = strcmp(operands[0], "rebuild") == 0;
    if (!rebuilds && strcmp(operands[0], "check") != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "unknown operation '%s'; check or rebuild",
                    operands[0]);
        return false;
    }
    return catalog_place_find(context->settings, ((const CatalogOptions *)request)->at, &place,
                              error) &&
           (rebuilds ? rebuild(context, &place, error) : check(context, &place, error));
}

const Command catalog_command = {
    .name = "catalog",
    .operands = "check|rebuild",
    .summary = "check the daemon's catalogue, or make its history again",
    .description =
        "`check` reads every page and follows the chain of audit lines.\n\n"
        "`rebuild` adds a run for each value of the tag run= of the repository's snapshots, unless "
        "the catalogue knows it. A damaged file is set aside under another name first; stop the "
        "daemon for that. Runs that left no snapshot do not come back, and neither do users, "
        "tokens and the API's schedules.",
    .options = catalog_options,
    .request_size = sizeof(CatalogOptions),
    .run = catalog_run_command,
};
