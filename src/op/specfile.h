/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon hands to a process that it starts: spec.json (doc/guide/daemon.md). */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* Reads one, of at most 4 MiB, and has it decoded into spec, of which something may be filled also
 * when this fails. BS_ERROR_CONFIG: it is no JSON, says where; or what decode says. */
typedef bool (*SpecDecode)(const json_t *root, void *spec, GError **error);
bool spec_file_load(const char *path, SpecDecode decode, void *spec, GError **error);
/* What was found wrong in one. */
bool spec_file_broken(const char *what, GError **error);
