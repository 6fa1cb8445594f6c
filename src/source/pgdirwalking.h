/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of pgdirwalk.h share. */
#pragma once
#include "source/pgdirwalk.h"

typedef struct {
    DirHandle *dir; /* the place that the link leads to */
    struct stat st;
} PgDirSpace;

struct PgDirSpaces {
    DirHandle *top; /* the data directory */
    GArray *list;   /* of PgTablespace */
    GArray *open;   /* of PgDirSpace, beside list */
    char *version;  /* the directory in each that is this release's: "PG_15_202209061" */
};
