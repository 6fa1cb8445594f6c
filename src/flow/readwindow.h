/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the reader: the blobs that a window of files wants, sorted by where they lie and cut into
 * ranges of packs. One thread fills and cuts a window; then each range belongs to one worker.
 */
#pragma once
#include "flow/reading.h"

typedef struct ReadFile ReadFile; /* readany.c */

typedef struct {
    Id id;
    BlobPlace place;
    guint turn; /* packs in the order in which the window met them: files come out nearly in
                   sequence */
    uint64_t offset;
    ReadFile *file;
} Request;
/* The same blob, so one that was read serves both. */
bool request_same_place(const Request *a, const Request *b);

typedef struct {
    GArray *requests; /* of Request */
    GArray *ranges;   /* of Range, once it is cut */
    GHashTable *turns;
    Id last_pack;
    guint last_turn;
    unsigned n_many; /* files of several blobs */
    size_t path_bytes;
    atomic_uint left; /* ranges */
} Window;

typedef struct {
    Window *window;
    guint first, n;
} Range;

/* first: how many requests there is room for at once. */
Window *window_new(guint first);
void window_free(Window *window);
guint window_turn(Window *window, const Id *pack);
void window_cut(Window *window, const Reading *reading);
Request *range_requests(const Range *range);
