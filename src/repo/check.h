/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the repository whole (repository format, "Check")? Goes on after each finding. The structure
 * check reads every key, index, snapshot, lock and tree and compares packs with the listing; with
 * read_data every byte of the packs chosen is opened and hashed, too.
 */
#pragma once
#include "base/cancel.h"
#include "repo/index.h"
#include "repo/repo.h"

typedef struct {
    bool error;          /* false: a hint, nothing is lost */
    const char *code;    /* "pack-hash", "blob-mac", ...: stable, for programs */
    const char *object;  /* "data/ab/abcd..." or "snapshots/..." */
    const char *message; /* what is wrong */
} Finding;

typedef struct {
    bool read_data;
    /* Which packs, with read_data: */
    enum { SUBSET_ALL, SUBSET_BUCKET, SUBSET_PERCENT, SUBSET_BYTES } subset;
    unsigned bucket, buckets; /* 1..buckets */
    double percent;
    uint64_t bytes;
} CheckOptions;

/* Any of it may be NULL: the result counts all the same. */
typedef struct {
    /* From one thread at a time, not always the same. */
    void (*found)(const Finding *finding, void *user);
    /* What an error costs: a file of a snapshot that cannot be restored whole. */
    void (*lost)(const Id *snapshot, const char *path, void *user);
    void *user;
    _Atomic uint64_t *bytes_total, *bytes_done; /* of packs read */
} CheckWatch;

typedef struct {
    uint64_t errors, hints, snapshots, packs, packs_read, files_lost;
    bool index_damaged, packs_damaged, snapshots_damaged; /* what repair would be for */
} CheckResult;

/* False only when the check itself could not be done (no listing, cancelled): findings are in the
 * result. Loads the repository's index. */
bool check_run(Repo *repo, const CheckOptions *options, const CheckWatch *watch,
               const Cancel *cancel, CheckResult *ret_result, GError **error);
