/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup_label, which tells a restored server where to begin its recovery, the label file that the
 * archive gets of every backup (<segment>.<offset>.backup), and tablespace_map. PostgreSQL
 * documentation, "Making a Base Backup Using the Low Level API". Pure; any thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t start, checkpoint; /* LSN; recovery begins at start */
    uint32_t timeline;
    bool from_standby;
    bool streamed;         /* not by pg_start_backup('...', exclusive), which 15 did away with */
    char *label, *started; /* as the server wrote them */
    /* of an incremental backup (17), which does not start by itself; else 0 */
    uint64_t incremental_from;
    uint32_t incremental_timeline;
    /* in the archive's file, when the backup has ended; else 0 and NULL */
    uint64_t stop;
    uint32_t stop_timeline;
    char *stopped;
} BackupLabel;

/* BS_ERROR_CORRUPT: a line is missing, there twice, cannot be read or is none that we know: a
 * server of a later release may mean something by it. */
BackupLabel *backup_label_parse(const char *text, size_t len, GError **error);
void backup_label_free(BackupLabel *label);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BackupLabel, backup_label_free)

typedef struct {
    uint32_t oid;
    char *path; /* absolute, raw bytes */
} Tablespace;

/* release: of the server, 13 to 18; before 14 a backslash in a path was not doubled. An array of
 * Tablespace that owns the paths; an empty map gives an empty one. BS_ERROR_CORRUPT. */
GArray *tablespace_map_parse(int release, const char *text, size_t len, GError **error);
