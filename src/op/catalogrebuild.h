/* SPDX-License-Identifier: Apache-2.0 */
/*
 * History made again from what the repository holds: a run for each value of the tag "run=" of its
 * snapshots. Runs that are known stay as they are. What left no snapshot cannot come back: failed
 * runs, due times, who asked; and whether a source of the run had failed is not told either, so
 * each counts as succeeded and bears "rebuilt" in its detail.
 */
#pragma once
#include "op/open.h"
#include "state/catalog.h"

typedef struct {
    unsigned snapshots; /* all that could be read */
    unsigned without_run;
    unsigned unreadable;
    unsigned runs, added; /* found, and of these new in the catalogue */
} CatalogRebuilt;

/* repository: its name or location, for the rows. */
bool op_catalog_rebuild(OpenRepo *open, const char *repository, Catalog *catalog,
                        const Cancel *cancel, CatalogRebuilt *ret_rebuilt, GError **error);
