/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a base backup that have passed, with their sizes and checksums, against what the
 * server's backup_manifest says of them, and the WAL against what is needed. Paths as in the
 * manifest. About 150 bytes a file. One thread.
 */
#pragma once
#include "pg/backupmanifest.h"

typedef struct PgPassed PgPassed;

PgPassed *pg_passed_new(uint32_t segment_size); /* of the cluster's WAL */
void pg_passed_free(PgPassed *passed);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgPassed, pg_passed_free)

/* A file, in slices. */
void pg_passed_begin(PgPassed *passed, const char *path);
void pg_passed_data(PgPassed *passed, const void *data, size_t len);
bool pg_passed_has(const PgPassed *passed, const char *path);
void pg_passed_counts(const PgPassed *passed, uint64_t *ret_files, uint64_t *ret_bytes);

/* To be given to the manifest, with passed as its user. BS_ERROR_CORRUPT: a file did not come, has
 * another size or checksum; a segment of the WAL is missing or short. */
extern const ManifestReceiver pg_passed_receiver;
/* BS_ERROR_CORRUPT: a file came that the manifest does not name (those of the WAL are its own), or
 * the manifest names no WAL. */
bool pg_passed_finish(const PgPassed *passed, GError **error);
