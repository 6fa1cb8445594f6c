/* SPDX-License-Identifier: Apache-2.0 */
/* --host, --tag and --path: which snapshots a command is about. */
#pragma once
#include "cmd/command.h"
#include "repo/snapshot.h"

/* Rows for a command whose request has a SnapshotFilter named filter. */
#define FILTER_AT(Request, member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(Request, filter.member))
#define FILTER_OPTIONS(Request)                                                                    \
    { "host",                                                                                      \
      'H',                                                                                         \
      0,                                                                                           \
      ARG_LIST,                                                                                    \
      FILTER_AT(Request, hosts),                                                                   \
      "only snapshots of this host (default: $BACKSTAY_HOST; \"\" for any); may be repeated",      \
      "NAME" },                                                                                    \
        { "tag",                                                                                   \
          0,                                                                                       \
          0,                                                                                       \
          ARG_LIST,                                                                                \
          FILTER_AT(Request, tags),                                                                \
          "only snapshots with all tags of a comma list; may be repeated: one list is enough",     \
          "TAGS" },                                                                                \
    {                                                                                              \
        "path", 0, 0, ARG_LIST, FILTER_AT(Request, paths),                                         \
            "only snapshots of this path; may be repeated: of all of them", "PATH"                 \
    }

/* Fills in what was left out, and makes paths absolute. names: the snapshots named, may be NULL; a
 * default does not stand in the way of an id. */
void filter_complete(SnapshotFilter *filter, char *const *names);
