/* SPDX-License-Identifier: Apache-2.0 */
/* What PostgreSQL's programs print, as entries in one top folder of a sink. One thread. */
#pragma once
#include "base/clock.h"
#include "flow/inlet.h"
#include "pg/passfile.h"
#include "source/filemeta.h"
#include "source/source.h"
#include <sys/stat.h>

typedef struct {
    const char *top; /* name of the folder; borrowed, as sink and run are */
    Sink *sink;
    const SourceRun *run;
    Timestamp time;   /* of all entries: when it began */
    bool undated;     /* see sink.h */
    size_t cut;       /* of files that begin, 0: content-defined */
    bool sink_failed; /* then there is nothing to go on for */
    OwnerNames *names;
    uint8_t *buffer;
} PgPush;

/* Who looks at a stream while it passes. */
typedef struct {
    bool (*feed)(void *user, const void *data, size_t len, GError **error);
    bool (*finish)(void *user, GError **error);
    uint64_t (*boundary)(const void *user); /* where to cut, 0: not known yet; may be NULL */
    void *user;
} PgWatcher;

void pg_push_init(PgPush *push, const char *top, Sink *sink, const SourceRun *run);
void pg_push_done(PgPush *push);

/* "/<top>/<name>", to be freed. */
char *pg_push_path(const PgPush *push, const char *name);
/* name: in the folder, also of what lies deeper ("a/b", in the directory that was begun last); NULL
 * for the folder itself. */
bool pg_push_begin(PgPush *push, const char *name, mode_t mode, void **ret_handle, GError **error);
/* The file is handle, size bytes long. sink_failed tells whether it was the sink that failed. */
bool pg_push_end_file(PgPush *push, void *handle, const char *name, uint64_t size, GError **error);
/* Runs argv and pushes its standard output as the file name. The entry ends only when the child
 * ended well and the watcher says that the stream is whole. Adds file, size and sha256 to facts. */
bool pg_push_child(PgPush *push, const char *const *argv, const PgAccess *access, const char *name,
                   const PgWatcher *watcher, json_t *facts, GError **error);
/* The same from an inlet, which has nothing but its end to say. */
bool pg_push_inlet(PgPush *push, Inlet *inlet, const char *name, const PgWatcher *watcher,
                   json_t *facts, GError **error);
/* manifest.json, which gets its time of "finished" here. */
bool pg_push_manifest(PgPush *push, json_t *manifest, GError **error);
