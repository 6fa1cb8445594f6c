/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The road. A sink takes entries: files, directories, dumps, devices. A backup pushes them into an
 * archiver, a restore into a directory, a dump into a pipe.
 *
 * For each entry: begin, any number of writes, end. Directories nest: begin, children, end; a walk
 * brings children in the order of their raw names, but no sink may rely on it. Instead of writes,
 * reuse() asks whether the sink can take the content (and the extended attributes) from what it
 * holds already, the parent snapshot; when it answers true, end follows. abandon() instead of end
 * drops an entry whose content could not be had. Then finish, once. free() without finish()
 * abandons all: a repository shows nothing, a directory is left marked unfinished. Without caps one
 * file is open at a time and offsets rise; a gap is a hole of zeros. begin for children of one
 * directory, and directories themselves, always come from one thread. A stream that comes back to a
 * directory leaves it open meanwhile: enter() says in which open directory the next entries lie.
 */
#pragma once
#include "codec/tree.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Sink Sink;

/* What begin needs to know. Both borrowed for the call. */
typedef struct {
    const char *path; /* from the root of the snapshot, "/srv/app/x": raw bytes */
    const Node
        *node;  /* metadata; content and subtree mean nothing here; size is what is expected */
    size_t cut; /* fixed cut size for content, 0: content-defined */
    /* Its times say only when it was read: those of the parent's entry stay as long as what is in
     * it does, so that it costs nothing. */
    bool undated;
} Entry;

enum {
    /* several entries open at once, each fed and ended by one thread, which feeds one at a time */
    SINK_MANY_OPEN = 1 << 0,
    /* any offset, any thread, also several threads in one entry; a directory may end before the
     * files in it do */
    SINK_ANY_ORDER = 1 << 1,
};

typedef struct {
    const char *name;
    unsigned caps;
    /* BS_ERROR_SOFT_SKIP: this entry is not wanted; nothing more of it (nor below it) comes. */
    bool (*begin)(Sink *sink, const Entry *entry, void **ret_handle, GError **error);
    bool (*write)(Sink *sink, void *handle, uint64_t offset, const void *data, size_t len,
                  GError **error);
    /* May be NULL: never reuses. */
    bool (*reuse)(Sink *sink, void *handle, bool *ret_reused, GError **error);
    /* Asked before content is fetched, of sinks with both caps: whether these len bytes need not be
     * written, for what the sink holds there has this SHA-256, or because it only says what it
     * would do. Any thread. May be NULL: everything is written. */
    bool (*has)(Sink *sink, void *handle, uint64_t offset, size_t len, const Id *id, bool *ret_has,
                GError **error);
    /* The directory, begun and not ended, holds the entries that begin from here on; end() of a
     * directory goes on with the one that holds it. NULL: directories strictly nest. */
    void (*enter)(Sink *sink, void *handle);
    /* A good place to cut: what follows may be found again although what came before changed. May
     * be NULL. */
    void (*mark)(Sink *sink, void *handle);
    /* node: final metadata when it became known late (size and times of a stream, attributes of a
     * file that had to be opened), or NULL. A size beyond the last write is a hole. */
    bool (*end)(Sink *sink, void *handle, const Node *node, GError **error);
    void (*abandon)(Sink *sink, void *handle);
    bool (*finish)(Sink *sink, GError **error);
    void (*free)(Sink *sink);
} SinkOps;

struct Sink {
    const SinkOps *ops;
};

bool sink_begin(Sink *sink, const Entry *entry, void **ret_handle, GError **error);
bool sink_write(Sink *sink, void *handle, uint64_t offset, const void *data, size_t len,
                GError **error);
bool sink_reuse(Sink *sink, void *handle, bool *ret_reused, GError **error);
bool sink_has(Sink *sink, void *handle, uint64_t offset, size_t len, const Id *id, bool *ret_has,
              GError **error);
bool sink_can_enter(const Sink *sink);
void sink_enter(Sink *sink, void *handle);
void sink_mark(Sink *sink, void *handle);
bool sink_end(Sink *sink, void *handle, const Node *node, GError **error);
void sink_abandon(Sink *sink, void *handle);
bool sink_finish(Sink *sink, GError **error);
void sink_free(Sink *sink); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sink, sink_free)
