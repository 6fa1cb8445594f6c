/* SPDX-License-Identifier: Apache-2.0 */
/* Adding, removing and judging the mirrors of a repository (repo/mirrors.h). */
#pragma once
#include "op/open.h"

/* A name for the mirror at a location: the last part of a path, or the host of a URL. NULL: none
 * suggests itself. */
char *mirror_suggest_name(const char *location);

/*
 * open: exclusively locked, opened alone; never a mirror itself. The place must be empty, or hold a
 * copy of this very repository, which becomes the mirror as it is. It gets its mark, and the list
 * its entry; nothing is copied yet. BS_ERROR_NOT_EMPTY: something else lies there. BS_ERROR_EXISTS:
 * name or location is in the list.
 */
bool op_mirror_add(const Settings *settings, OpenRepo *open, const char *location, const char *name,
                   bool required, const Cancel *cancel, Mirror **ret_mirror, GError **error);
/* A mirror whose place has lost its mark, because it was emptied or its disk was replaced, is one
 * again; under the same conditions. */
bool op_mirror_refill(const Settings *settings, OpenRepo *open, const char *name,
                      const Cancel *cancel, GError **error);
/* Only the entry goes. What lies there stays, with its mark. */
bool op_mirror_remove(OpenRepo *open, const char *name, GError **error);

typedef struct {
    const Mirror *mirror;
    bool reached;
    SyncFacts facts; /* when reached */
    GError *why;     /* not reached, or not ours */
} MirrorStatus;

/* False only when cancelled. */
bool op_mirror_status(const Settings *settings, OpenRepo *open, const Mirror *mirror,
                      const Cancel *cancel, MirrorStatus *ret_status, GError **error);

/*
 * open: a mirror, exclusively locked, opened alone. It becomes the repository. The other mirrors in
 * its list become its own, under new tokens, so that the old repository no longer takes them for
 * its; those that cannot be reached are dropped from the list and told.
 */
bool op_mirror_promote(const Settings *settings, OpenRepo *open,
                       void (*dropped)(const Mirror *mirror, const GError *why, void *user),
                       void *user, const Cancel *cancel, GError **error);
