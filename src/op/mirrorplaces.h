/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a mirror set share. */
#pragma once
#include "op/mirrorset.h"

typedef struct {
    MirrorSet *set;
    const Mirror *mirror;
    OpenStore at;
    size_t slot; /* in the mirror store; SIZE_MAX: not there */
    GError *why; /* not there */
} Place;

struct MirrorSet {
    const Settings *settings;
    const Cancel *cancel;
    MirrorUse use;
    char *location;
    Store *first;
    Store *store; /* before first; NULL: nothing */
    Repo *repo;
    MirrorNames names;  /* listed while the repository was opened, */
    GError *unlisted;   /* or why not */
    GPtrArray *mirrors; /* of Mirror */
    GArray *places;     /* of Place; the same order */
};

static inline Place *mirrorset_place(const MirrorSet *set, size_t i)
{
    return &g_array_index(set->places, Place, i);
}

static inline bool mirrorset_is_writing(const MirrorSet *set)
{
    return set->use == MIRRORS_WRITE || set->use == MIRRORS_SYNC;
}

/* Required, and no exception is made. */
static inline bool mirrorset_must_have(const MirrorSet *set, const Mirror *mirror)
{
    return mirror->required && set->use == MIRRORS_WRITE;
}
