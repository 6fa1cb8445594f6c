/* SPDX-License-Identifier: Apache-2.0 */
/* Which source of the configuration tells what is true of the target of a restore now. */
#pragma once
#include "config/configuration.h"
#include "repo/snapshot.h"
#include <jansson.h>

typedef struct {
    const char *named;  /* "@NAME": that one; NULL: it is found out */
    const char *target; /* a URL, or the path of a directory */
    bool directory;
} FactTarget;

/*
 * The one that is the target; where none is, the one that saved the snapshot: *ret_is_target says
 * which. Of several that might be meant those count that ask for what was saved, and they must ask
 * alike. saved: facts by name. The result is borrowed from the configuration. BS_ERROR_NOT_FOUND:
 * there is none, or nobody knows which.
 */
bool fact_source_find(const Configuration *configuration, const FactTarget *target,
                      const Snapshot *snapshot, const json_t *saved,
                      const SourceConfig **ret_source, bool *ret_is_target, GError **error);

/* How it asks for the fact of this name; NULL: it does not. */
const json_t *fact_source_asks(const SourceConfig *source, const char *name);
