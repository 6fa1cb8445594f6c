/* SPDX-License-Identifier: Apache-2.0 */
/* check --repair-from-versions: what comes before the check itself. */
#pragma once
#include "cmd/command.h"

/* since: as written, or NULL. *ret_lost: objects of which no version is right. */
bool check_versions(const Context *context, const char *since, uint64_t *ret_lost, GError **error);
