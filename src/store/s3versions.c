/* SPDX-License-Identifier: Apache-2.0 */
/* What a bucket with versioning keeps of objects that were replaced or removed. */
#include "store/s3ops.h"

#include "base/error.h"

#include <string.h>

static const S3Listing versions_listing = { "versions=&encoding-type=url", "versions of",
                                            "version-id-marker", s3_page_read_versions };

typedef struct {
    const char *key; /* only this one; NULL: all */
    StoreEachVersion each;
    void *user;
} Versions;

static bool tell_version(G_GNUC_UNUSED S3Store *s3, const char *key, const S3Entry *entry,
                         G_GNUC_UNUSED int64_t now, void *user, GError **error)
{
    const Versions *versions = user;
    StoreVersion version = { .key = key,
                             .id = entry->id,
                             .size = entry->size,
                             .modified_at = entry->modified_at,
                             .latest = entry->latest,
                             .removed = entry->removed };

    // what a server lists for "config" begins with it
    return (versions->key && strcmp(versions->key, key) != 0) ||
           versions->each(&version, versions->user, error);
}

bool s3_versions(Store *store, const char *prefix_or_key, StoreEachVersion each, void *user,
                 GError **error)
{
    bool is_prefix = !*prefix_or_key || g_str_has_suffix(prefix_or_key, "/");
    Versions versions = { is_prefix ? NULL : prefix_or_key, each, user };

    return s3_walk((S3Store *)store, &versions_listing, prefix_or_key, tell_version, &versions,
                   error);
}

bool s3_get_version(Store *store, const char *key, const char *id, size_t bound, GBytes **ret_data,
                    GError **error)
{
    g_autoptr(GString) query = g_string_new(NULL);

    s3_query_add(query, "versionId", id);
    return s3_get_all((S3Store *)store, key, query->str, bound, ret_data, error);
}
