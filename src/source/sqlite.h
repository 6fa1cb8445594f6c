/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An SQLite database as a source, while others write to it: `/<name>/<file>` and `manifest.json`
 * (doc/sqlite.schema.json). The file is a copy by SQLite's online backup (source/sqlitecopy.h),
 * which counts only when its integrity_check is good; it is cut in fixed pieces of whole pages, so
 * that a later backup costs the pages that changed.
 */
#pragma once
#include "source/source.h"

/* path: made absolute, and also the name of the source. BS_ERROR_USAGE. */
Source *sqlite_source_new(const char *path, GError **error);
