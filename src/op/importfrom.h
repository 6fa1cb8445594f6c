/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file to be imported that lies elsewhere, as an inlet: https://..., in parts that the server
 * gives by range, and s3:... as repositories are named. One thread.
 */
#pragma once
#include "base/cancel.h"
#include "config/settings.h"
#include "flow/inlet.h"

typedef struct {
    const char *url;
    bool allow_private; /* also from this machine and its own networks */
} ImportFrom;

bool import_from_is(const char *url);
/* The URL without what may be secret, and the name of the file in it; to be freed. */
char *import_from_shown(const char *url);
char *import_from_file(const char *url);

/*
 * Everything is borrowed for the inlet's life. Redirects are followed, to https alone.
 * BS_ERROR_NOT_FOUND; BS_ERROR_DENIED: the server, or where it leads to, is not in the open
 * internet; BS_ERROR_UNSUPPORTED: it gives no parts of a large file. Reading: BS_ERROR_CORRUPT when
 * the file changes meanwhile.
 */
Inlet *import_from_open(const ImportFrom *from, const Settings *settings, const Cancel *cancel,
                        GError **error);
