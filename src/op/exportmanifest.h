/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest beside a portable file, "<file>.manifest.json": {"manifest_version": 1,
 * "backstay_version", "generated_at", "file" (its name), "format", "size", "sha256" (of the file as
 * it lies there), "snapshot": {"id", "time", "hostname"}} and, when they are known, "encryption":
 * {"format": "openpgp", "recipients": [fingerprints] or "passphrase": true}, "database",
 * "migrations" (of that database: tool, count, newest, hash), "facts" (the operator's own, of the
 * snapshot), "active_key_id" (the one of them called "kid"), "recorded" (manifest.json of the
 * snapshot).
 */
#pragma once
#include "op/export.h"

#define EXPORT_MANIFEST_SUFFIX ".manifest.json"

/* file: its name, without directories. The caller's. */
json_t *export_manifest_new(const Snapshot *snapshot, const ExportRequest *request,
                            const Exported *exported, const char *file);

/* manifest.json of what was saved; of files {"facts"}, if they have any; NULL: the snapshot has
 * none.
 */
bool export_recorded(Repo *repo, const Snapshot *snapshot, json_t **ret_recorded, GError **error);
