/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a catalogue another host needs, as JSON: schedules of the API, what is paused, users,
 * settings of the API, and the newest runs that have ended. Never in it: passwords (not even their
 * hashes), sessions, tokens, attempts to log in, the audit, due times that were decided.
 *
 * {"catalogue_version", "schedules": [{id, name, definition, enabled, paused_until}], "paused":
 * [{id, paused_until}] (of schedules of the file), "users": [{name, role, enabled}], "settings":
 * {name: value}, "runs": [...], newest first}
 */
#pragma once
#include "state/catalog.h"

/* Neither schedules of the API, users nor runs. */
bool catalog_is_empty(Catalog *catalog, bool *ret_empty, GError **error);

/* runs: how many at most, up to RUN_LIMIT_MAX; 0: none. */
bool catalog_pack(Catalog *catalog, unsigned runs, json_t **ret_packed, GError **error);

typedef struct {
    unsigned schedules, users, runs; /* that were not there */
} CatalogUnpacked;
/* What is there stays as it is. Users come without a password. BS_ERROR_CORRUPT: not what
 * catalog_pack() gives; BS_ERROR_VERSION: of a newer program. */
bool catalog_unpack(Catalog *catalog, const json_t *packed, CatalogUnpacked *ret_unpacked,
                    GError **error);
