/* SPDX-License-Identifier: Apache-2.0 */
/* The files below a directory of a local store: objects, or what killed puts have left. For
 * store/local.c. */
#pragma once
#include "store/store.h"

typedef struct {
    const char *location; /* for messages */
    bool leftovers;       /* visit temporary files instead of objects */
    bool (*visit)(int dirfd, const char *name, const StoreObject *object, void *user,
                  GError **error);
    void *user;
} LocalWalk;

/* Takes fd, an open directory. prefix is its key: empty, or it ends in '/'. What vanishes meanwhile
 * is passed over. */
bool localwalk(const LocalWalk *walk, int fd, const char *prefix, GError **error);
