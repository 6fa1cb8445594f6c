/* SPDX-License-Identifier: Apache-2.0 */
/* The options that prune and forget --prune share, and what they print. */
#pragma once
#include "cmd/command.h"
#include "op/open.h"
#include "repo/prune.h"

typedef struct {
    char *max_unused, *max_repack_size;
    char *keep_pitr; /* the command's own row */
    gboolean cacheable_only, no_repack_small, repack_uncompressed, dry_run;
} PruneArgs;

/* Rows for a GOptionEntry table; at: offset of a PruneArgs in the request. dry_run is the command's
 * own row. */
#define PRUNE_ARG(request, args, member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(request, args.member))
#define PRUNE_ROWS(request, args)                                                                   \
    { "max-unused",                                                                                 \
      0,                                                                                            \
      0,                                                                                            \
      ARG_TEXT,                                                                                     \
      PRUNE_ARG(request, args, max_unused),                                                         \
      "unused data that may stay: 5% (default), a size, or unlimited",                              \
      "LIMIT" },                                                                                    \
        { "max-repack-size",                                                                        \
          0,                                                                                        \
          0,                                                                                        \
          ARG_TEXT,                                                                                 \
          PRUNE_ARG(request, args, max_repack_size),                                                \
          "stop repacking after this much, such as 10G",                                            \
          "SIZE" },                                                                                 \
        { "repack-cacheable-only",      0,   0, ARG_FLAG, PRUNE_ARG(request, args, cacheable_only), \
          "repack only packs of trees", NULL },                                                     \
        { "no-repack-small",                                                                        \
          0,                                                                                        \
          0,                                                                                        \
          ARG_FLAG,                                                                                 \
          PRUNE_ARG(request, args, no_repack_small),                                                \
          "leave small packs as they are",                                                          \
          NULL },                                                                                   \
    {                                                                                               \
        "repack-uncompressed", 0, 0, ARG_FLAG, PRUNE_ARG(request, args, repack_uncompressed),       \
            "compress what was stored plain", NULL                                                  \
    }

/* Parses, plans, prints, acts. The repository is locked exclusively. gone: of Id, snapshots that a
 * dry run takes for removed; NULL. */
bool prune_with(const Context *context, OpenRepo *open, const PruneArgs *args, const GArray *gone,
                GError **error);
/* Renews object locks and says so; packs, leave: as of op_retain(). */
bool retain_with(const Context *context, OpenRepo *open, bool packs, GHashTable *leave,
                 GError **error);
