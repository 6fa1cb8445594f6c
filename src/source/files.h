/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source: file trees, as restic keeps them. Entries are read with openat below their directory;
 * FIFOs, sockets and devices are never opened. Unchanged files (by the sink's reuse) are not opened
 * either. A file that changes or vanishes while being read, or cannot be read, goes to problem by
 * name.
 */
#pragma once
#include "codec/pattern.h"
#include "source/source.h"

typedef struct {
    PatternList *exclude, *iexclude; /* taken over; may be NULL */
    bool exclude_caches;             /* directories with a valid CACHEDIR.TAG: only the tag stays */
    char **exclude_if_present;       /* "NAME" or "NAME:HEADER" */
    uint64_t exclude_larger_than;    /* 0: no limit */
    bool one_file_system;
    bool with_atime;
} FilesOptions;

/* paths: as given; made absolute and clean, sorted, nested ones merged. BS_ERROR_NOT_FOUND when
 * none exists; one missing among others goes to problem during backup. */
Source *files_source_new(const char *const *paths, const FilesOptions *options, GError **error);

/* One file from a descriptor (--stdin). name: path inside the snapshot. */
Source *stream_source_new(int fd, const char *name, GError **error);
/* The same from a command's standard output; its exit status decides (--stdin-from-command). */
Source *command_source_new(const char *const *argv, const char *name, GError **error);
