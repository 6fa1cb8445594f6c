/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects as files below a directory (repository format, "Local directory"): temporary name, fsync,
 * rename, fsync of the directory; files 0400, directories 0700 (group bits added when `config` is
 * readable by the group). Never follows a symbolic link below the root. Names that end in
 * "-tmp-<random>" are leftovers and never listed.
 */
#pragma once
#include "store/store.h"

/* The directory need not exist yet: put makes what is missing (create true) or fails (false). */
Store *local_store_new(const char *path, bool create);
/* For what can be had again: makes what is missing, and a put that may replace syncs nothing: after
 * a power loss its object may be gone or cut. */
Store *local_store_new_unsynced(const char *path);
