/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a restore by HTTP goes: a directory or a file below one of server.restore_roots, or what a
 * source of the configuration names. Never a URL, and never a place that a request alone chooses.
 */
#pragma once
#include "config/configuration.h"
#include "daemon/webshape.h"

typedef enum {
    RESTORE_TO_DIRECTORY, /* files */
    RESTORE_TO_CLUSTER,   /* a data directory that recovers to a moment */
    RESTORE_TO_IMAGE,     /* the file of a volume */
    RESTORE_TO_DATABASE,  /* the file of an SQLite database */
    RESTORE_TO_SERVER,    /* a source: a database or Redis server */
    RESTORE_TO_VOLUME,    /* a source */
    RESTORE_TO_SQLITE,    /* a source */
} RestoreTo;

typedef struct {
    RestoreTo to;
    char *name;  /* path, "NAME" or "NAME/DATABASE": what is to be typed */
    char *root;  /* of a directory or file; NULL: it has none */
    bool exists; /* there is something that would be replaced, as far as can be seen from here */
} RestoreTarget;

extern const Shape restore_target_shape;

/* kind: of the snapshot; NULL: nobody knows. recovery: it is a cluster, which recovers. Errors as
 * restore_order(). */
bool restore_target_take(const Configuration *configuration, const json_t *target, const char *kind,
                         bool recovery, RestoreTarget *ret_target, GError **error);
void restore_target_clear(RestoreTarget *target);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RestoreTarget, restore_target_clear)

/* "directory", "cluster", "file", "server", "volume", "sqlite". */
const char *restore_target_word(const RestoreTarget *target);
/* The option of `restore` that names it, up to its value; and the operand of `backup` that saves
 * what is there. */
char *restore_target_option(const RestoreTarget *target);
char *restore_target_operand(const RestoreTarget *target);
