/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshot objects (repository format, "Snapshots") and choosing among them. */
#pragma once
#include "base/clock.h"
#include "repo/repo.h"

typedef struct {
    Timestamp backup_start, backup_end;
    uint64_t files_new, files_changed, files_unmodified, dirs_new, dirs_changed, dirs_unmodified;
    uint64_t data_blobs, tree_blobs, data_added, data_added_packed;
    uint64_t total_files_processed, total_bytes_processed;
} SnapshotSummary;

typedef struct {
    Id id; /* its object; not part of the text */
    Timestamp time;
    char *time_text; /* as stored, with its offset; NULL for one made here */
    bool has_parent, has_original, has_summary;
    Id parent, tree, original;
    GStrv paths, excludes, tags; /* never NULL, may be empty */
    char *hostname, *username;   /* "" when absent */
    uint32_t uid, gid;
    char *program_version; /* or NULL */
    SnapshotSummary summary;
} Snapshot;

Snapshot *snapshot_new(void);
void snapshot_free(Snapshot *snapshot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Snapshot, snapshot_free)
bool snapshot_has_tag(const Snapshot *snapshot, const char *tag);
/* The value of a "key=value" tag, or NULL. */
const char *snapshot_tag_value(const Snapshot *snapshot, const char *key);

bool snapshot_decode(const char *text, size_t len, Snapshot **ret_snapshot, GError **error);
char *snapshot_encode(const Snapshot *snapshot, size_t *ret_len);

bool snapshot_load(Repo *repo, const Id *id, Snapshot **ret_snapshot, GError **error);
/* Durable when it returns; sets snapshot->id. */
bool snapshot_save(Repo *repo, Snapshot *snapshot, GError **error);

/* Called for a snapshot object that cannot be read; true: go on without it. NULL: fail. */
typedef bool (*SnapshotBad)(const Id *id, const GError *problem, void *user);
/* All, sorted by time, oldest first. Of Snapshot (owned by the array). */
bool snapshot_list(Repo *repo, SnapshotBad bad, void *user, GPtrArray **ret_snapshots,
                   GError **error);

/* restic's --host, --tag (each a comma list that must hold whole), --path (all of them): */
typedef struct {
    char **hosts, **tags, **paths; /* NULL or empty: any */
} SnapshotFilter;
bool snapshot_matches(const Snapshot *snapshot, const SnapshotFilter *filter);

/* "latest", an id or its prefix, or latest~N, each with an optional ":subpath" (ret_subpath, NULL
 * when none). The filter matters for latest only. Unreadable snapshots are passed over and reported
 * to bad. */
bool snapshot_find(Repo *repo, const char *text, const SnapshotFilter *filter, SnapshotBad bad,
                   void *user, Snapshot **ret_snapshot, char **ret_subpath, GError **error);
