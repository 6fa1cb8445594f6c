/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing single objects of a repository back from another copy of it. What is sound is never
 * touched, and nothing replaces what is damaged before it is proved: by the hash that is its name,
 * config by its seal.
 */
#pragma once
#include "repo/repo.h"

/*
 * write false: only proves that it can be had. BS_ERROR_EXISTS: what lies in `to` is what its name
 * says, so no copy is any better. BS_ERROR_NOT_FOUND, BS_ERROR_CORRUPT: `from` lacks it, or has it
 * damaged. BS_ERROR_USAGE: such an object has no hash.
 */
bool heal_object(Store *from, Store *to, const char *key, bool write, GError **error);

typedef enum {
    CONFIG_MISSING,
    CONFIG_FOREIGN, /* does not open with this key: damaged, or that of another repository */
    CONFIG_OTHER,   /* opens with this key, but is that of another repository */
    CONFIG_OURS,
} ConfigState;

/* Of what lies in a store, judged by an open copy of the repository. */
bool heal_config_state(Repo *repo, Store *store, ConfigState *ret_state, GError **error);
/* The config that repo was opened with, byte for byte. */
bool heal_config(Repo *repo, Store *to, GError **error);

/* True: some object there has the name of one of ours, so it is, or was, a copy of this one. */
bool heal_is_copy(Repo *repo, Store *store, bool *ret_copy, GError **error);
