/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Object locks: a bucket refuses to remove what is protected until a time. So what the repository
 * needs is protected anew while that time comes near, and what it no longer needs stays until then.
 * For stores that can do that (store/store.h); others are BS_ERROR_UNSUPPORTED.
 */
#pragma once
#include "base/cancel.h"
#include "repo/repo.h"

typedef struct {
    uint64_t n;    /* objects that are protected and therefore still there */
    int64_t until; /* Unix seconds: the last of them; 0: nobody knows */
} ProtectKept;

/* Removes packs with all their versions. What is protected stays, which is no error, and is added
 * to *kept. before: as of repo_remove_many. */
bool protect_remove_packs(Repo *repo, const GArray *ids, bool (*before)(void *user, GError **error),
                          void *user, ProtectKept *kept, GError **error);

typedef struct {
    int64_t enough_until, until; /* Unix seconds: what is protected until the first is left so */
    bool packs; /* all else, too: index objects, the packs that they name, wal/ and backstay/ */
    /* Keys of WAL that nothing needs any more, to be left to their locks' end; NULL: none. Of char
     * *, borrowed. */
    GHashTable *leave;
} ProtectOptions;

/* Config, keys and snapshots, and with packs the rest of what is needed: the index is loaded anew
 * then. What is gone by then is passed over. *ret_n: how many were protected for longer. */
bool protect_needed(Repo *repo, const ProtectOptions *options, const Cancel *cancel,
                    uint64_t *ret_n, GError **error);
