/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/checkversions.h"

#include "cmd/moment.h"
#include "cmd/output.h"
#include "op/repairversions.h"
#include <stdio.h>

static void tell_found(const VersionsFound *found, void *user)
{
    const Settings *settings = user;
    const char *how = found->removed ? "removed" : "replaced";

    if (settings->json)
        output_json(json_pack("{s:s, s:o, s:s, s:s?}", "message_type",
                              found->version ? "brought_back" : "not_brought_back", "object",
                              json_bytes(found->key), "was", how, "version", found->version));
    else if (!found->version)
        fprintf(stderr, "error: %s: was %s, and no older version is what its name says\n",
                found->key, how);
    else if (!settings->quiet)
        printf("brought back: %s (was %s)\n", found->key, how);
}

static void tell_stats(const VersionsStats *stats, bool since)
{
    printf("%" G_GUINT64_FORMAT " objects brought back from older versions\n", stats->brought_back);
    if (stats->snapshots_removed > 0 && !since)
        printf("%" G_GUINT64_FORMAT " snapshots were removed, by `backstay forget` or by somebody "
               "else; --removed-since TIME brings\nback what was removed from then on\n",
               stats->snapshots_removed);
}

bool check_versions(const Context *context, const char *since, uint64_t *ret_lost, GError **error)
{
    const Settings *settings = context->settings;
    VersionsRequest request = { .found = tell_found,
                                .user = (void *)settings,
                                .cancel = context->cancel };
    VersionsStats stats;
    Timestamp time = { 0 };

    if (since && !moment_parse("removed-since", since, &time, error))
        return false;
    request.removed_since = time.sec;
    if (!op_repair_versions(settings, &request, &stats, error))
        return false;
    if (!settings->json && !settings->quiet)
        tell_stats(&stats, since != NULL);
    *ret_lost = stats.lost;
    return true;
}
