/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories that restic wrote, below test/fixtures/restic, and quick new ones. */
#pragma once
#include "repo/repo.h"
#include "store/local.h"
#include "store/memory.h"
#include <jansson.h>

#define FIXTURE_PASSWORD "backstay-fixture"
#define QUICK_COST       ((KeyCost){ .n = 16, .r = 1, .p = 1 })

/* The good ones that have a manifest. */
static const char *const fixture_names[] = {
    "v1",     "v1-migrated",    "v2-auto",   "v2-bigfile", "v2-foreign",
    "v2-max", "v2-otherwriter", "v2-pruned", "v2-twokeys", "v2-off",
};

static inline json_t *fixture_manifest(const char *name)
{
    g_autofree char *file = g_strconcat(name, ".manifest.json", NULL);
    g_autofree char *path = g_build_filename(g_getenv("FIXTURES"), "restic", file, NULL);
    json_t *manifest = json_load_file(path, 0, NULL);

    g_assert_nonnull(manifest);
    return manifest;
}

static inline bool copy_object(const StoreObject *object, void *user, GError **error)
{
    Store *const *pair = user; /* from, to */
    g_autoptr(GBytes) bytes = NULL;

    return store_get_whole(pair[0], object->key, object->size, &bytes, error) &&
           store_put(pair[1], object->key, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
                     false, error);
}

/* A copy in memory, to be written to. */
static inline Store *fixture_store(const char *name)
{
    g_autofree char *path = g_build_filename(g_getenv("FIXTURES"), "restic", name, NULL);
    g_autoptr(Store) local = local_store_new(path, false);
    g_autoptr(GError) error = NULL;
    Store *memory = memory_store_new();
    Store *pair[] = { local, memory };

    store_list(local, "", copy_object, pair, &error);
    g_assert_no_error(error);
    return memory;
}

static inline Repo *fixture_open_with(Store *store, const char *password,
                                      const RepoOptions *options, GError **error)
{
    g_autoptr(Secret) secret = secret_new(password, strlen(password));
    Repo *repo = NULL;

    return repo_open(store, secret, options, &repo, error) ? repo : NULL;
}

static inline Repo *fixture_try_open(Store *store, const char *password, GError **error)
{
    return fixture_open_with(store, password, &(RepoOptions){ 0 }, error);
}

static inline Repo *fixture_open(Store *store, const char *password)
{
    g_autoptr(GError) error = NULL;
    Repo *repo = fixture_try_open(store, password, &error);

    g_assert_no_error(error);
    return repo;
}

static inline bool quick_try_init(Store *store, unsigned version, const char *password,
                                  GError **error)
{
    g_autoptr(Secret) secret = secret_new(password, strlen(password));
    RepoInit init = { .version = version, .cost = QUICK_COST, .polynomial = 0x3da3358b4dc173 };

    return repo_init(store, secret, &init, error);
}

/* A new repository of version 2 in an empty store. */
static inline Repo *quick_repo(Store *store)
{
    g_autoptr(GError) error = NULL;

    quick_try_init(store, 2, FIXTURE_PASSWORD, &error);
    g_assert_no_error(error);
    return fixture_open(store, FIXTURE_PASSWORD);
}
