/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tar stream of a base backup, taken apart while it comes in, in slices of any size: files,
 * directories and symbolic links in ustar headers, sizes beyond 8 GiB in base 256 (PostgreSQL
 * documentation, "Streaming Replication Protocol", BASE_BACKUP; POSIX, "pax"). It holds one header,
 * never content. Anything else in it, and a path that leads out of the archive, is
 * BS_ERROR_CORRUPT. One thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

typedef struct {
    const char *path;   /* relative, without "./" in front and "/" behind; borrowed for the call */
    const char *target; /* of a symbolic link, else NULL; as it stands there */
    mode_t mode;        /* type included: S_IFREG, S_IFDIR, S_IFLNK */
    uint32_t uid, gid;
    int64_t mtime; /* Unix seconds */
    uint64_t size; /* of files; else 0 */
} TarEntry;

/* Who takes what comes: begin, data for all of size, end; the same for every entry, in the order of
 * the stream. False with error set ends it. */
typedef struct {
    bool (*begin)(void *user, const TarEntry *entry, GError **error);
    bool (*data)(void *user, const void *data, size_t len, GError **error);
    bool (*end)(void *user, GError **error);
} TarReceiver;

typedef struct TarStream TarStream;

TarStream *tar_stream_new(const TarReceiver *receiver, void *user); /* both borrowed */
void tar_stream_free(TarStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TarStream, tar_stream_free)

/* After a failure nothing more may be fed. */
bool tar_stream_feed(TarStream *stream, const void *data, size_t len, GError **error);
/* The stream ended. terminated: it must end with two blocks of zeros, which servers before 15 do
 * not send. BS_ERROR_CORRUPT: it ended early. */
bool tar_stream_finish(TarStream *stream, bool terminated, GError **error);
