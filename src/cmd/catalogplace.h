/* SPDX-License-Identifier: Apache-2.0 */
/* Where the daemon's catalogue is, for commands that work on it without the daemon. */
#pragma once
#include "cmd/command.h"
#include "state/catalog.h"

#define CATALOG_AT_OPTION(member)                                                                  \
    {                                                                                              \
        "at", 0, 0, ARG_TEXT, member,                                                              \
            "another catalogue than the configuration's: sqlite:/path or postgresql://...", "URL"  \
    }

typedef struct {
    char *url;
    Secret *password; /* NULL: none */
} CatalogPlace;

void catalog_place_clear(CatalogPlace *place);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CatalogPlace, catalog_place_clear)

/* at: as --at has it; NULL: that of the configuration, or the file in the state directory. Nothing
 * is opened yet. */
bool catalog_place_find(const Settings *settings, const char *at, CatalogPlace *ret_place,
                        GError **error);
bool catalog_place_open(const CatalogPlace *place, Catalog **ret_catalog, GError **error);
