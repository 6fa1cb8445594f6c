/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files of a data directory nobody can have written since the last backup, so that it need
 * not be read again. A wrong yes would be silent damage, so much is asked for it:
 *
 * - The last backup read this directory, of the same cluster, under the same run of the server and
 *   of the kernel; so nobody but that server has written, and through this kernel alone.
 * - Size, inode, mtime and ctime are those of then, taken before the file was read. A write gives
 *   both times the kernel's clock, and ctime nobody can set.
 * - Both times lay a good while (settled) before the last backup began. So whatever was written
 *   when it was read, or later, has later times: not only by more than the clock's ticks, but by
 *   more than a write can hang between stamping the file and changing it.
 * - The clock was not set since: it runs against the monotonic one as it did. The file system is a
 *   local one that stamps nanoseconds, as the file's own times show.
 * - PostgreSQL writes by system calls alone. What it has not yet written lies behind a checkpoint,
 *   which ends before a backup reads the first file, or in WAL that the backup holds.
 *
 * What is left: that a clock was set back and forth again, and that a write in between met the
 * very nanosecond of an old one. Bits that rot on the disk are only found by reading (--force).
 * One thread.
 */
#pragma once
#include "base/clock.h"
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* Under which circumstances a backup reads. */
typedef struct {
    uint64_t system_id;
    char *boot;              /* of the kernel; NULL: not known */
    char *server_started;    /* as the server says; NULL: it does not run */
    int64_t started;         /* Unix seconds, before the first file was looked at */
    int64_t clock_offset_ms; /* wall clock less the one since boot */
    uint64_t device;         /* of the directory */
    bool local;              /* its file system is known to stamp writes of this kernel */
    bool pages_checked;
} PgDirCircumstances;
void pg_dir_circumstances_clear(PgDirCircumstances *circumstances);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PgDirCircumstances, pg_dir_circumstances_clear)

/* Of this machine now; fd: the directory. The rest is the caller's. */
void pg_dir_circumstances_see(int fd, PgDirCircumstances *circumstances);
/* As it stands in manifest.json under "directory". */
json_t *pg_dir_circumstances_json(const PgDirCircumstances *circumstances);

typedef struct PgDirKeep PgDirKeep;

/* facts, manifest: manifest.json and backup_manifest of the last backup; settled: seconds. NULL:
 * all must be read; *ret_reason, a constant, says why. */
PgDirKeep *pg_dir_keep_new(GBytes *facts, GBytes *manifest, const PgDirCircumstances *now,
                           int64_t settled, const char **ret_reason);
void pg_dir_keep_free(PgDirKeep *keep);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgDirKeep, pg_dir_keep_free)

/* All but what the sink knows of the file: that size, inode, mtime and ctime are those of then.
 * path: from the data directory. ret_crc: of its content. */
bool pg_dir_keep_may(const PgDirKeep *keep, const char *path, const struct stat *st,
                     uint32_t *ret_crc);
