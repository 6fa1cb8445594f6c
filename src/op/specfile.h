/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon hands to a process that it starts: spec.json (doc/guide/daemon.md). */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* A new reference. BS_ERROR_CONFIG: it is no JSON, says where; of at most 4 MiB. */
bool spec_file_read(const char *path, json_t **ret_root, GError **error);
/* What was found wrong in one. */
bool spec_file_broken(const char *what, GError **error);
