/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backup_manifest that a server sends with a base backup, read while it passes, in slices of
 * any size, line by line as servers from 13 on write it (PostgreSQL documentation, "Backup Manifest
 * Format"). Its own checksum, SHA-256 over all lines but the last, must fit. One thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *path; /* raw bytes, from the data directory: "pg_tblspc/16384/PG_15_.../5/1259" */
    uint64_t size;
    bool has_crc; /* a CRC-32C; other checksums are not read */
    uint32_t crc;
} ManifestFile;

typedef struct {
    uint32_t timeline;
    uint64_t start, end; /* LSN */
} ManifestRange;

/* What stands in it, in its order; borrowed for the call. False with error set ends it. */
typedef struct {
    bool (*file)(void *user, const ManifestFile *file, GError **error);
    bool (*range)(void *user, const ManifestRange *range, GError **error);
} ManifestReceiver;

typedef struct BackupManifest BackupManifest;

BackupManifest *backup_manifest_new(const ManifestReceiver *receiver, void *user); /* borrowed */
void backup_manifest_free(BackupManifest *manifest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BackupManifest, backup_manifest_free)

/* BS_ERROR_CORRUPT: it is not this format. After a failure nothing more may be fed. */
bool backup_manifest_feed(BackupManifest *manifest, const void *data, size_t len, GError **error);
/* BS_ERROR_CORRUPT: it ended early, or its checksum does not fit. */
bool backup_manifest_finish(BackupManifest *manifest, GError **error);
/* Since 17; 0: it does not say. */
uint64_t backup_manifest_system_id(const BackupManifest *manifest);
