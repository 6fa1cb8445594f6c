/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest beside a file that is imported, as export and schedules write it: what it says of
 * size and SHA-256 is compared with the file. */
#pragma once
#include "op/import.h"
#include <jansson.h>

/* path: for messages. *ret_sidecar: an object, to be freed. BS_ERROR_CORRUPT: it is none. */
bool import_sidecar_parse(const char *path, GBytes *text, json_t **ret_sidecar, GError **error);

/* The one that the request names, or that lies beside its file; *ret_sidecar stays as it is when
 * there is none and none was named. */
bool import_sidecar_load(const ImportRequest *request, const Settings *settings,
                         const Cancel *cancel, json_t **ret_sidecar, GError **error);
