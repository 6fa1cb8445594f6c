/* SPDX-License-Identifier: Apache-2.0 */
/* How much snapshots hold, counted in one of restic's four ways. */
#pragma once
#include "base/cancel.h"
#include "repo/repo.h"

typedef enum {
    STATS_RESTORE_SIZE,      /* what a restore would write */
    STATS_FILES_BY_CONTENTS, /* files, each content once */
    STATS_BLOBS_PER_FILE,    /* the blobs of each path, once a path */
    STATS_RAW_DATA,          /* blobs, sealed, each once */
} StatsMode;

typedef struct {
    guint snapshots;
    uint64_t size, files, blobs;
    /* raw data of version 2 only: */
    uint64_t plain_size;                        /* if nothing were compressed */
    uint64_t compressed, compressed_plain_size; /* of the blobs that are */
} Stats;

/* "restore-size" and so on. BS_ERROR_USAGE. */
bool stats_mode_parse(const char *text, StatsMode *ret_mode, GError **error);

/* snapshots: of Snapshot. The index is loaded. */
bool op_stats(Repo *repo, const GPtrArray *snapshots, StatsMode mode, const Cancel *cancel,
              Stats *ret_stats, GError **error);
