/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/adoptshow.h"

#include "base/plural.h"
#include "cmd/output.h"
#include "cmd/table.h"

void adoption_clear(Adoption *adoption)
{
    g_free(adoption->config);
    g_free(adoption->config_aside);
    g_free(adoption->catalogue);
    g_free(adoption->catalogue_aside);
    secret_free(adoption->password);
    *adoption = (Adoption){ 0 };
}

static size_t count(const Installation *installation, const char *what)
{
    return json_array_size(json_object_get(installation->catalogue, what));
}

static json_t *describe_copy(const Installation *installation)
{
    return json_pack("{s:s, s:o, s:s?, s:s?, s:s?, s:b, s:i, s:i, s:i}", "id", installation->id,
                     "time", json_time(installation->time), "host", installation->host,
                     "backstay_version", installation->version, "config_path",
                     installation->config_path, "readable", installation->config_text != NULL,
                     "api_schedules", (int)count(installation, "schedules"), "users",
                     (int)count(installation, "users"), "runs", (int)count(installation, "runs"));
}

/* ---- the list ---- */

static void add_row(Table *table, const Installation *installation)
{
    g_autofree char *time = output_time(installation->time);
    g_autofree char *schedules = g_strdup_printf("%zu", count(installation, "schedules"));
    g_autofree char *users = g_strdup_printf("%zu", count(installation, "users"));
    g_autofree char *runs = g_strdup_printf("%zu", count(installation, "runs"));
    const char *path = installation->config_path ? installation->config_path : "(environment)";
    bool readable = installation->config_text != NULL;

    table_add(table, (const char *const[]){ installation->id, time,
                                            readable ? installation->host : "damaged",
                                            readable ? path : "", readable ? schedules : "",
                                            readable ? users : "", readable ? runs : "", NULL });
}

void adopt_show_list(const Settings *settings, const GPtrArray *list)
{
    static const char *const headers[] = { "Copy",          "Time",  "Host", "Configuration",
                                           "API schedules", "Users", "Runs", NULL };
    g_autoptr(Table) table = table_new(headers);
    json_t *all = json_array();

    for (guint i = 0; i < list->len; i++) {
        add_row(table, list->pdata[i]);
        json_array_append_new(all, describe_copy(list->pdata[i]));
    }
    if (settings->json)
        output_json(all);
    else
        table_print(table, stdout);
    if (!settings->json)
        json_decref(all);
}

/* ---- what was done ---- */

static const char *config_action(const Adoption *adoption)
{
    if (adoption->config_same)
        return "is there already";
    return adoption->preview ? "would be written" : "written";
}

static const char *catalogue_action(const Adoption *adoption)
{
    if (adoption->catalogue_shared)
        return "is in use and stays as it is";
    if (adoption->catalogue_waits)
        return "waits for its password";
    return adoption->preview ? "would be filled" : "filled";
}

static json_t *json_secrets(const Adoption *adoption)
{
    json_t *list = json_array();

    for (guint i = 0; i < adoption->needs->secrets->len; i++) {
        const AdoptSecret *secret = adoption->needs->secrets->pdata[i];

        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s?}", "place", secret->place, "reference",
                                        secret->reference, "problem", secret->problem));
    }
    return list;
}

static void show_json(const Adoption *adoption)
{
    output_json(json_pack(
        "{s:s, s:b, s:o, s:{s:o, s:s, s:o}, s:{s:s, s:s, s:o, s:i, s:i}, s:s?, s:o, s:o}",
        "message_type", "summary", "preview", (int)adoption->preview, "copy",
        describe_copy(adoption->chosen), "configuration", "path", json_bytes(adoption->config),
        "action", config_action(adoption), "set_aside",
        adoption->config_aside ? json_bytes(adoption->config_aside) : json_null(), "catalogue",
        "url", adoption->catalogue, "action", catalogue_action(adoption), "set_aside",
        adoption->catalogue_aside ? json_bytes(adoption->catalogue_aside) : json_null(), "runs",
        (int)adoption->rebuilt.runs, "runs_of_snapshots", (int)adoption->rebuilt.added,
        "repository", adoption->needs->repository, "paused_until",
        adoption->paused_until ? json_time((Timestamp){ .sec = adoption->paused_until / 1000 })
                               : json_null(),
        "secrets", json_secrets(adoption)));
}

static void show_aside(const char *aside)
{
    if (aside)
        printf("  what was there is now %s\n", aside);
}

static void show_catalogue(const Adoption *adoption)
{
    const Installation *chosen = adoption->chosen;
    size_t schedules = count(chosen, "schedules"), users = count(chosen, "users");

    printf("catalogue      %s: %s\n", adoption->catalogue, catalogue_action(adoption));
    show_aside(adoption->catalogue_aside);
    if (adoption->catalogue_shared || adoption->catalogue_waits)
        return;
    if (chosen->catalogue)
        printf("  %zu %s of the API, %zu %s, %zu %s of its own\n", schedules,
               plural((unsigned)schedules, "schedule", "schedules"), users,
               plural((unsigned)users, "user", "users"), count(chosen, "runs"),
               plural((unsigned)count(chosen, "runs"), "run", "runs"));
    if (!adoption->preview)
        printf("  %u more %s known from snapshots\n", adoption->rebuilt.added,
               plural(adoption->rebuilt.added, "run", "runs"));
}

static void show_secrets(const Adoption *adoption)
{
    const GPtrArray *secrets = adoption->needs->secrets;
    unsigned missing = 0;

    for (guint i = 0; i < secrets->len; i++) {
        const AdoptSecret *secret = secrets->pdata[i];

        if (!secret->problem)
            continue;
        if (missing++ == 0)
            printf("\nsecrets that are not here, and nowhere in the repository:\n");
        printf("  %s: %s\n      %s\n", secret->place, secret->reference, secret->problem);
    }
    if (missing == 0)
        printf("\nall %u secrets that the configuration names are here\n", secrets->len);
}

static void show_next(const Adoption *adoption)
{
    const char *host = adoption->chosen->host;

    printf("\nnext\n");
    if (!adoption->needs->repository)
        printf("  - no repository of the configuration is at %s: change its location if that is "
               "where backups go from now on\n",
               adoption->location);
    printf("  - bring the secrets here, then: backstay --config %s config check\n"
           "  - restore what was lost: backstay snapshots, backstay restore\n",
           adoption->config);
    if (adoption->paused_until > 0 && !adoption->catalogue_shared) {
        g_autofree char *until = output_time((Timestamp){ .sec = adoption->paused_until / 1000 });

        printf("  - schedules are paused until %s; `backstay run SCHEDULE` works at once\n", until);
    }
    if (g_strcmp0(host, g_get_host_name()) != 0)
        printf("  - snapshots bear the host name %s: set BACKSTAY_HOST=%s to go on with them\n",
               host, host);
    printf("  - users have no password yet: backstay user password NAME\n  - backstay daemon\n");
}

void adopt_show(const Settings *settings, const Adoption *adoption)
{
    const Installation *chosen = adoption->chosen;
    g_autofree char *time = output_time(chosen->time);

    if (settings->json) {
        show_json(adoption);
        return;
    }
    if (settings->quiet)
        return;
    printf("copy           %s of %s, %s, written by backstay %s\n", chosen->id, chosen->host, time,
           chosen->version);
    printf("configuration  %s: %s\n", adoption->config, config_action(adoption));
    show_aside(adoption->config_aside);
    show_catalogue(adoption);
    show_secrets(adoption);
    show_next(adoption);
}
