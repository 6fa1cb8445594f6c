/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/stores.h"

#include "repo/cachedir.h"

void stores_open(Stores *stores, Store *store, const RepoOptions *options, const char *repo_id)
{
    static const char *const plain_prefixes[] = { "snapshots/", "index/", NULL };
    static const char *const tree_prefixes[] = { "data/", NULL };
    g_autofree char *dir = NULL;

    *stores = (Stores){ .plain = store, .trees = store };
    if (store->far && options->cache_bytes > 0)
        dir = cachedir_open(options->cache_dir, repo_id);
    if (!dir)
        return;
    stores->cache = cache_new(dir, options->cache_bytes);
    stores->plain = cache_store_new(store, stores->cache, plain_prefixes);
    stores->trees = cache_store_new(store, stores->cache, tree_prefixes);
}

void stores_close(Stores *stores)
{
    if (!stores->cache)
        return;
    store_free(stores->plain);
    store_free(stores->trees);
    cache_free(stores->cache);
}
