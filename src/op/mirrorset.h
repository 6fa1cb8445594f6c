/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mirrors of a repository that is being opened: they get what is written (store/mirror.h), or
 * are asked for what cannot be read (store/fallback.h).
 *
 * Whoever writes finds out at the start what each lacks: a required one is caught up at once, for
 * what is written must be whole there; an eventual one gets data for the time being, and the rest
 * at the end (mirrorset_finish).
 */
#pragma once
#include "op/openstore.h"
#include "repo/lock.h"
#include "repo/mirrors.h"
#include "repo/sync.h"

typedef enum {
    MIRRORS_ALONE, /* none: whoever must know what lies in this place, and nowhere else */
    MIRRORS_READ,
    MIRRORS_WRITE,
    MIRRORS_SYNC, /* as WRITE, but a required one may be away, and nothing is caught up at the start
                   */
} MirrorUse;

typedef struct MirrorSet MirrorSet;

/* location: of first, as the user wrote it. Borrowed, but for that. */
MirrorSet *mirrorset_new(const Settings *settings, const char *location, Store *first,
                         MirrorUse use, const Cancel *cancel);
/* Not before the repository is closed; what is on its way to a copy arrives first. Takes NULL. */
void mirrorset_free(MirrorSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MirrorSet, mirrorset_free)
/* Of the environment names with the keys of its bucket: "MIRROR_<NAME>_". */
char *mirrorset_infix(const Mirror *mirror);
/* Where a mirror lies, with the keys that the environment has for it. */
bool mirrorset_open_place(const Settings *settings, const Mirror *mirror, bool create,
                          const Cancel *cancel, OpenStore *ret_at, GError **error);
/* What the repository is to be opened on. */
Store *mirrorset_store(MirrorSet *set);

/* Which records there are. Once, before it is attached; beside the opening of the repository, if it
 * shall not take time of its own. */
void mirrorset_list(MirrorSet *set);
/* Reads what was listed and looks at each place. Before the lock is taken, so that it lies
 * everywhere. BS_ERROR_DENIED: this is a mirror itself, so nothing is written to it alone. Required
 * mirrors must be there. */
bool mirrorset_attach(MirrorSet *set, Repo *repo, GError **error);
/* Under the lock: what each lacks. */
bool mirrorset_compare(MirrorSet *set, GError **error);

size_t mirrorset_n(const MirrorSet *set);
void mirrorset_state(MirrorSet *set, size_t i, MirrorState *ret_state);
/* Waits for what is on its way. Before the lock is removed. */
void mirrorset_flush(MirrorSet *set);

typedef struct {
    const char *name;
    SyncResult result;
    SyncFacts left;    /* what is still to be done */
    const GError *why; /* it is behind; NULL: it has all that the repository has */
} MirrorOutcome;

typedef struct {
    bool all; /* compare every object of every mirror, not only of those known to be behind */
    SyncRemoval remove; /* also of what the repository no longer has; under an exclusive lock, when
                           the repository was found to be whole */
    char *const *names; /* only these mirrors; NULL: all */
    const Lock *lock;
    /* Of each with which anything was done, or that is behind. */
    void (*outcome)(const MirrorOutcome *outcome, void *user);
    void *user;
    _Atomic uint64_t *bytes; /* carried; may be NULL */
} MirrorFinish;

/* At the end of a run that has done what it was asked for: flushes, and catches up what is behind
 * and can be reached. BS_ERROR_DESTINATION when a mirror stays behind. */
bool mirrorset_finish(MirrorSet *set, const MirrorFinish *finish, GError **error);
