/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A destination of archives: the portable files of one backup written to a directory or a bucket,
 * each with its manifest beside it, and older ones removed (doc/guide/archives.md).
 */
#pragma once
#include "config/archive.h"
#include "config/settings.h"
#include "op/openstore.h"
#include "op/seal.h"
#include "repo/snapshot.h"
#include <jansson.h>

/* One snapshot of the backup. */
typedef struct {
    char *source; /* name */
    Snapshot *snapshot;
} ArchiveItem;
void archive_item_free(ArchiveItem *item);

typedef struct {
    const ArchiveConfig *config;
    const Settings *settings; /* of the repository: for what the destination does not say */
    const char *schedule;     /* name */
    const char *run;          /* id */
    const char *zone;         /* IANA */
    bool guarded;             /* nobody looks: refuse to remove much more than is usual */
    bool keep_all;            /* whatever config says: the backup is not fit to replace others */
    /* What happened; level is "info" or "warn". */
    void (*log)(const char *level, const char *text, void *user);
    void *user;
} ArchiveRequest;

/* Writes all of items (of ArchiveItem *) that the destination is for. The index is loaded. What was
 * written before an error stays; retention is applied only when all was written. */
bool op_archive(Repo *repo, const ArchiveRequest *request, const GPtrArray *items,
                const Cancel *cancel, GError **error);
/* Only retention. */
bool op_archive_sweep(const ArchiveRequest *request, const Cancel *cancel, GError **error);

/* ---- for op/archivekeep.c ---- */

/* An open destination. */
typedef struct {
    const ArchiveRequest *request;
    const Cancel *cancel;
    Settings settings;
    OpenStore at;
    char *pattern, *latest; /* with their endings */
    GTimeZone *zone;
} ArchivePlace;

/* The manifest beside an object; *ret_manifest NULL: there is none. */
bool archive_manifest_load(const ArchivePlace *place, const char *key, json_t **ret_manifest,
                           GError **error);
/* Whether it says that this schedule wrote the object of this key, or was about to. */
bool archive_manifest_is_ours(const ArchivePlace *place, const json_t *manifest, const char *key);
void archive_log(const ArchivePlace *place, const char *level, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/* Removes what the destination does not keep: only files that fit the pattern, have a manifest of
 * this schedule and are as long as that says. BS_ERROR_GUARD: nothing was removed. */
bool archive_keep(const ArchivePlace *place, GError **error);
