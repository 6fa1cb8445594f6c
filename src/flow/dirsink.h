/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink that writes into a directory (a restore). Nothing is ever written outside of it: every
 * component is opened beneath the target without following links; files get a temporary name, 0600
 * until their owner and mode are set, and are renamed when whole. Order of metadata: owner,
 * extended attributes, mode, times; directories after their children. Runs of zeros become holes
 * with sparse. Hard links are linked to the first one restored. Entries of the first level lie in
 * the target itself, whatever their path says. While it runs, and after a run that did not finish,
 * a file DIR_SINK_MARK lies in the target. caps: SINK_MANY_OPEN | SINK_ANY_ORDER.
 *
 * With delta what lies in the target serves: of a regular file only the chunks that differ are
 * fetched, and written where they belong (flow/dirpatch.h), so the mark is on the disk before
 * anything else is. A run that leaves `unfinished` keeps the mark for one that comes after it, such
 * as the sweep: a second pass over the same entries that removes what the snapshot does not have.
 */
#pragma once
#include <stdatomic.h>

#include "flow/progress.h"
#include "flow/sink.h"

typedef enum {
    OVERWRITE_ALWAYS,
    OVERWRITE_IF_CHANGED,
    OVERWRITE_IF_NEWER,
    OVERWRITE_NEVER
} Overwrite;

/* Bytes of content. */
typedef struct {
    atomic_uint_least64_t same;    /* were there already */
    atomic_uint_least64_t fetched; /* came from the repository, or would */
} DirDelta;

typedef struct {
    Overwrite overwrite;
    bool sparse;
    bool dry_run;      /* decide and report, write nothing */
    bool delete_extra; /* remove what the snapshot does not have, below restored directories */
    /* With delete_extra: the target stands for a directory of the snapshot too, and is restored
     * whole. */
    bool delete_in_target;
    /* With delete_extra: whether an extra path may go (a selection does not reach what it leaves
     * out). NULL: all. */
    bool (*may_delete)(const char *path, void *user);
    DirDelta *delta; /* compare with what is there, and count; needs OVERWRITE_ALWAYS. NULL: no */
    bool unfinished; /* finish leaves the mark */
    bool sweep;      /* with delete_extra: everything is restored, only what is extra goes */
    bool one_mount; /* with delete_extra: what lies on another mount than the target is a warning */
    bool no_sync;   /* leave it to the kernel when bytes reach the disk */
    bool no_special; /* neither devices nor setuid/setgid bits (default: as root they are made) */
    /* What was done to an entry: "restored", "updated", "unchanged", "deleted", "skipped". Any
     * thread. May be NULL. */
    void (*report)(const char *path, const Node *node, const char *action, void *user);
    /* Metadata that could not be set (owner without root, ACL unsupported): reported, the run is
     * partial. */
    void (*warn)(const char *path, const GError *problem, void *user);
    void *user;
} DirSinkOptions;

#define DIR_SINK_MARK ".backstay-unfinished"

/* The target is finished, after a run that left the mark. */
bool dir_sink_unmark(const char *target, GError **error);

/* target is made when missing. */
Sink *dir_sink_new(const char *target, const DirSinkOptions *options, GError **error);

/*
 * A sink that compares an existing directory with what it is given and changes nothing. Differences
 * are told by what differs: "missing", "type", "size", "content", "mode", "owner", "mtime", "link
 * target", "device number", "extended attributes". Names that only the directory has are none of
 * its business. differs may be called from any thread, never from two at once. caps: SINK_MANY_OPEN
 * | SINK_ANY_ORDER.
 */
typedef void (*DirDiffers)(const char *path, const char *what, void *user);
Sink *compare_sink_new(const char *target, DirDiffers differs, void *user, GError **error);
