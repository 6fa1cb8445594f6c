/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this machine remembers of a repository, by the SHA-256 of its location: where its copies
 * lie, for the day on which it cannot be asked itself (<state_dir>/mirrors/<hash>.json), and which
 * of its key files opened it the last time, so that no others need to be listed and tried
 * (<state_dir>/keys/<hash>). No secrets. It only helps: whatever is wrong with it, it is as if it
 * were not there.
 */
#pragma once
#include "repo/mirrors.h"

/* After the list was read; an empty one is forgotten. */
void remembered_save(const char *state_dir, const char *location, const char *repo_id,
                     const GPtrArray *mirrors);
/* NULL: nothing is known. Of Mirror, of which only name and location count. */
GPtrArray *remembered_load(const char *state_dir, const char *location, char **ret_repo_id);

void remembered_key_save(const char *state_dir, const char *location, const Id *key);
/* As hex; NULL: not known. */
char *remembered_key_load(const char *state_dir, const char *location);

/* A path becomes an absolute one; others stay. */
char *remembered_location(const char *location);
