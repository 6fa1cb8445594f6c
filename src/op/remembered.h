/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the copies of a repository lie, remembered on this machine for the day on which the
 * repository itself cannot be asked: <state_dir>/mirrors/<SHA-256 of its location>.json. Locations
 * only, no secrets. It only helps: whatever is wrong with it, it is as if it were not there.
 */
#pragma once
#include "repo/mirrors.h"

/* After the list was read; an empty one is forgotten. */
void remembered_save(const char *state_dir, const char *location, const char *repo_id,
                     const GPtrArray *mirrors);
/* NULL: nothing is known. Of Mirror, of which only name and location count. */
GPtrArray *remembered_load(const char *state_dir, const char *location, char **ret_repo_id);

/* A path becomes an absolute one; others stay. */
char *remembered_location(const char *location);
