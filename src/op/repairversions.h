/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing back what somebody replaced or removed in a bucket with versioning: key files first,
 * which may be why the repository does not open. */
#pragma once
#include "config/settings.h"
#include "repo/versions.h"

/* The lock is taken, and released before it returns. request: found, its user and removed_since. */
bool op_repair_versions(const Settings *settings, const VersionsRequest *request,
                        VersionsStats *ret_stats, GError **error);
