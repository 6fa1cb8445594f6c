/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a backup_manifest that pg_verifybackup takes, for a base backup whose files were read
 * directly: version 1 for servers before 17, version 2 from then on. PostgreSQL documentation,
 * "Backup Manifest Format". One thread.
 */
#pragma once
#include "base/id.h"
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *path; /* from the data directory, raw bytes, without "./" in front */
    uint64_t size;
    int64_t mtime;    /* Unix seconds */
    const Id *sha256; /* NULL: then crc counts */
    uint32_t crc;     /* CRC-32C */
} ManifestLine;

/* Takes what is to be written, in slices; false with error set ends it. */
typedef bool (*ManifestWrite)(void *user, const void *data, size_t len, GError **error);

typedef struct ManifestWriter ManifestWriter;

/* Of the cluster: its release and system identifier. user: borrowed. */
ManifestWriter *manifest_writer_new(int release, uint64_t system_id, ManifestWrite write,
                                    void *user);
void manifest_writer_free(ManifestWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ManifestWriter, manifest_writer_free)

/* Everything in the backup but the manifest itself and pg_wal, in any order, each once. After a
 * failure nothing more may be added. */
bool manifest_writer_add(ManifestWriter *writer, const ManifestLine *line, GError **error);
/* The WAL that the backup needs to become consistent: a range for each timeline. After the files.
 */
bool manifest_writer_add_range(ManifestWriter *writer, uint32_t timeline, uint64_t start,
                               uint64_t end, GError **error);
/* Ends it with the checksum of all that was written. */
bool manifest_writer_finish(ManifestWriter *writer, GError **error);
