/* SPDX-License-Identifier: Apache-2.0 */
/* Where a portable file to be imported comes from, as a source for op_backup() (source/import.h).
 */
#pragma once
#include "base/cancel.h"
#include "config/settings.h"
#include "source/import.h"

typedef struct {
    const char *from;     /* a path, or a URL (op/importfrom.h) */
    const char *name;     /* of the source; NULL: from the file's */
    const char *database; /* NULL: what the file says */
    const char *manifest; /* the manifest beside the file; NULL: FROM.manifest.json, if there is */
    ImportFormat format;
    InletBounds bounds;
    const char *keys;         /* path of private keys, for what is encrypted to them; NULL */
    const Secret *passphrase; /* of the file, or of these keys; borrowed by the source; NULL */
    bool allow_private;       /* URLs: also of this machine and its own networks */
    uint64_t entries_max;
} ImportRequest;

/* BS_ERROR_NOT_FOUND, _DENIED: the file; _UNSUPPORTED: it is nothing that can be imported;
 * _CORRUPT: its manifest is none. cancel is borrowed by the source, and so is settings. */
bool op_import_open(const ImportRequest *request, const Settings *settings, const Cancel *cancel,
                    Source **ret_source, GError **error);
