/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that the API changes: a word, and any JSON; each change has a number (ETag). */
#pragma once
#include "state/catalog.h"

/* BS_ERROR_NOT_FOUND. version: may be NULL. */
bool catalog_setting_get(Catalog *catalog, const char *name, json_t **ret_value,
                         unsigned *ret_version, GError **error);
/* expected_version 0: there must be none yet (BS_ERROR_STALE when there is). by: who; may be NULL.
 * BS_ERROR_STALE, _NOT_FOUND. */
bool catalog_setting_put(Catalog *catalog, const char *name, const json_t *value,
                         unsigned expected_version, const char *by, GError **error);
bool catalog_setting_delete(Catalog *catalog, const char *name,
                            GError **error); /* no error when none */
