/* SPDX-License-Identifier: Apache-2.0 */
/* Where the tablespaces of a restored cluster go: only where somebody said, for the places that the
 * server had them in may be in use. */
#pragma once
#include "op/reach.h"

typedef struct {
    uint32_t oid;
    char *dir;       /* absolute */
    const char *via; /* how it is reached, whatever becomes of its name; borrowed; NULL: by that */
} TablespacePlace;

const char *tablespace_place_path(const TablespacePlace *place);

/*
 * words: "OLD=NEW" with OLD the directory that the server had it in, or its oid; NULL: none. via:
 * of each word how NEW is reached, or ""; NULL: by their names. pgdata is absolute. Of
 * TablespacePlace, which it frees; without those that lie in the data directory. BS_ERROR_USAGE:
 * one is not mapped (all of those are named), or mapped twice, to a place within another or within
 * the data directory; or a word fits none.
 */
bool tablespaces_place(const ClusterBase *base, char *const *words, char *const *via,
                       const char *pgdata, GArray **ret_places, GError **error);

/*
 * A recovery makes those that were made behind the base once more, at the very path that the WAL
 * says. What lies there would be a live server's, or of later than the target. BS_ERROR_NOT_EMPTY:
 * something of this release does.
 */
bool tablespaces_can_be_made(const Reach *reach, GError **error);
