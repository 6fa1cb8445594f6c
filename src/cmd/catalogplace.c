/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/catalogplace.h"

#include "config/configuration.h"
#include "daemon/places.h"

void catalog_place_clear(CatalogPlace *place)
{
    g_free(place->url);
    secret_free(place->password);
    *place = (CatalogPlace){ 0 };
}

bool catalog_place_find(const Settings *settings, const char *at, CatalogPlace *ret_place,
                        GError **error)
{
    g_autoptr(Configuration) configuration = NULL;
    g_auto(Places) places = { 0 };

    if (at) {
        ret_place->url = g_strdup(at);
        return true;
    }
    if (!configuration_load(settings->config, &configuration, error))
        return false;
    if (configuration->server.catalogue) {
        ret_place->url = g_strdup(configuration->server.catalogue);
        return !configuration->server.catalogue_password ||
               reference_resolve("server.catalogue_password",
                                 configuration->server.catalogue_password, &ret_place->password,
                                 error);
    }
    if (!places_open(&places, error))
        return false;
    ret_place->url = places_catalogue();
    return true;
}

bool catalog_place_open(const CatalogPlace *place, Catalog **ret_catalog, GError **error)
{
    return catalog_open(place->url, place->password, ret_catalog, error);
}
