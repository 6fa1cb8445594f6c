/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk of a source of files: from the root to what is to be saved, and through all of it. Each
 * thing that is met becomes an entry; contents are left to the readers. One thread.
 */
#pragma once
#include "source/filemeta.h"
#include "source/filereader.h"
#include "source/files.h"
#include "source/pathtree.h"

/* All of it is borrowed. */
typedef struct {
    const PathNode *paths;
    const FilesOptions *options;
    const SourceRun *run;
    Sink *sink;           /* NULL: only count, into the run's progress, and report nothing */
    FileReaders *readers; /* with a sink */
} FileWalk;

/* *ret_seen: at least one of the paths was there. False: cancelled, the sink or a reader failed, or
 * there is no root. */
bool file_walk(const FileWalk *walk, bool *ret_seen, GError **error);
