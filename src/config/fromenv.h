/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration without a file, for containers: ENABLE_BACKUPS=true; the repository from
 * BACKSTAY_REPOSITORY or BACKUP_S3_*; the sources from DATABASE_URL or PG*, and REDIS_URL; the
 * schedule from BACKUP_SCHEDULE; the repository's password from BACKUP_ENCRYPTION_KEY, 32 bytes in
 * base64.
 */
#pragma once
#include "config/problems.h"
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* False: backups are not enabled there, and nothing was read. *ret_tree has the shape of the file;
 * marks name the variables. problems: of variables, without a place. */
bool environment_tree(json_t **ret_tree, GHashTable *marks, Problems *problems);
