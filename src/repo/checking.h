/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a check share. Any thread may report. */
#pragma once
#include "repo/blob.h"
#include "repo/check.h"
#include <pthread.h>

typedef struct {
    Repo *repo;
    const CheckOptions *options;
    const CheckWatch *watch;
    const Cancel *cancel;
    pthread_mutex_t mutex;
    CheckResult result;
    GHashTable
        *bad_blobs; /* of PackBlob (type and id count): cannot be had from any place known bad */
    GHashTable *bad_packs; /* of Id: missing, or of the wrong size */
    GError *unread;        /* the check must end: something could not be asked for; NULL */
} Checking;

/* A store that is away, or that refuses to be read, says nothing about what lies there. True: this
 * was such a failure, nothing is to be reported, and the check ends. */
bool checking_unread(Checking *checking, const GError *failure);
bool checking_goes_on(Checking *checking, GError **error);

void checking_report(Checking *checking, bool error, const char *code, const char *object,
                     const char *format, ...) G_GNUC_PRINTF(5, 6);
const char *checking_blob_code(BlobFault fault);
void checking_bad_blob(Checking *checking, BlobType type, const Id *id);
bool checking_is_bad(Checking *checking, BlobType type, const Id *id);

/* Packs of the index against the listing, and their content. files: of FileInfo, sorted by id. */
bool check_packs(Checking *checking, const GArray *files, GError **error);
/* Every tree of every snapshot. of Snapshot */
bool check_trees(Checking *checking, const GPtrArray *snapshots, GError **error);
/* Names what the bad blobs cost. */
bool check_losses(Checking *checking, const GPtrArray *snapshots, GError **error);
