/* SPDX-License-Identifier: Apache-2.0 */
#include "op/repairversions.h"

#include "base/error.h"
#include "base/log.h"
#include "op/open.h"

typedef struct {
    const VersionsRequest *request;
    const Lock *lock;
} Repair;

static void pass_found(const VersionsFound *found, void *user)
{
    const Repair *repair = user;

    repair->request->found(found, repair->request->user);
}

static bool still_locked(void *user, GError **error)
{
    const Repair *repair = user;

    return lock_check(repair->lock, error);
}

/* What was kept before that was turned off is still there. */
static bool warn_if_off(Store *store, GError **error)
{
    g_auto(StoreGuard) guard = { 0 };

    if (!store_guard(store, &guard, error))
        return false;
    if (guard.versions == STORE_OFF)
        log_warn("the bucket has no versioning: what is replaced or removed now is gone", NULL);
    return true;
}

static bool repair_keys(const Settings *settings, const VersionsRequest *request,
                        VersionsStats *stats, GError **error)
{
    g_autofree char *location = NULL;
    g_auto(OpenStore) at = { 0 };
    g_autoptr(GError) failure = NULL;

    if (!settings_repository(settings, &location, error) ||
        !open_store(settings, location, "", false, request->cancel, &at, error))
        return false;
    if (warn_if_off(at.store, &failure) && versions_repair_keys(at.store, request, stats, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_UNSUPPORTED))
        g_prefix_error(&failure, "--repair-from-versions is for a bucket with versioning: ");
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool op_repair_versions(const Settings *settings, const VersionsRequest *request,
                        VersionsStats *ret_stats, GError **error)
{
    g_auto(OpenRepo) open = { 0 };
    VersionsStats stats = { 0 };
    VersionsRequest locked = *request;
    Repair repair = { .request = request };

    locked.found = pass_found;
    locked.user = &repair;
    if (!repair_keys(settings, &locked, &stats, error) ||
        !open_repo_using(settings, OPEN_EXCLUSIVE, MIRRORS_ALONE, false, request->cancel, &open,
                         error))
        return false;
    repair.lock = open.lock;
    locked.still_locked = still_locked;
    if (!versions_repair(open.repo, &locked, &stats, error))
        return false;
    *ret_stats = stats;
    return true;
}
