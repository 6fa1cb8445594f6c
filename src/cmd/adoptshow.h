/* SPDX-License-Identifier: Apache-2.0 */
/* What `adopt` tells. */
#pragma once
#include "config/settings.h"
#include "op/adopt.h"
#include "op/catalogrebuild.h"

typedef struct {
    Installation *chosen; /* borrowed, as location and needs */
    const char *location;
    const AdoptNeeds *needs;
    char *config, *config_aside; /* config_aside: where the old one is; NULL: there was none */
    bool config_same;            /* it was there already */
    char *catalogue, *catalogue_aside;
    Secret *password; /* of the catalogue; NULL: none */
    bool catalogue_missing;
    bool catalogue_shared; /* in a server, in use; left as it is */
    bool catalogue_waits;  /* its password is not here */
    int64_t paused_until;  /* Unix ms; 0: nothing is paused */
    CatalogRebuilt rebuilt;
    bool preview;
} Adoption;
void adoption_clear(Adoption *adoption);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Adoption, adoption_clear)

/* As text, or with --json as one object. */
void adopt_show(const Settings *settings, const Adoption *adoption);
/* list: of Installation; those that could not be read are not loaded. */
void adopt_show_list(const Settings *settings, const GPtrArray *list);
