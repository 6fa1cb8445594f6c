/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A base backup as it comes from the server, split into entries of a sink: archives are taken
 * apart, every file is compared with the server's manifest, and the links to tablespaces are made
 * to point to where these lie in the same folder, so that nothing that is restored points to a live
 * one. One thread.
 */
#pragma once
#include "flow/sink.h"
#include "pg/basebackup.h"

typedef struct {
    const char *top;           /* name of the folder; borrowed */
    mode_t mode;               /* of the data directory: 0700 or 0750 */
    size_t cut;                /* of what PostgreSQL changes in place */
    uint32_t segment_size;     /* of WAL */
    const GArray *tablespaces; /* PgBackupStart; borrowed */
    Timestamp time;            /* of entries that are not the server's */
    bool terminated;           /* archives have an end of their own (tar_stream_finish) */
} PgBaseOptions;

typedef struct PgBase PgBase;

PgBase *pg_base_new(Sink *sink, const PgBaseOptions *options);
void pg_base_free(PgBase *base);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgBase, pg_base_free)

/* Its user is a PgBase. */
extern const PgBackupReceiver pg_base_receiver;
/* All has come: is it what the manifest says, and does it hold what a cluster needs to start?
 * ret_system_id: the manifest's, 0: it does not say. BS_ERROR_CORRUPT. */
bool pg_base_complete(PgBase *base, uint64_t *ret_system_id, GError **error);

/* More in the top folder, after that: a directory, and a file, of the cluster's owner. */
bool pg_base_add_directory(PgBase *base, const char *path, GError **error);
bool pg_base_add(PgBase *base, const char *path, const void *data, size_t len, GError **error);
/* All directories are complete. */
bool pg_base_finish(PgBase *base, GError **error);

/* Did this file of the data directory come? */
bool pg_base_has(const PgBase *base, const char *path);
void pg_base_counts(const PgBase *base, uint64_t *ret_files, uint64_t *ret_bytes);
