/* SPDX-License-Identifier: Apache-2.0 */
/* Making a repository, and adding keys to one. */
#include "repo/config.h"
#include "repo/repo.h"

#include "base/error.h"
#include "codec/hash.h"
#include "codec/polynomial.h"

#include <string.h>

/* ---- keys ---- */

/* What the store gives back opens with the password and holds this master key. */
static bool prove_key(Store *store, const char *key, const SealKey *master, const Secret *password,
                      GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(KeyFile) keyfile = NULL;
    SealKey opened;
    bool same;

    if (!store_get_whole(store, key, KEYFILE_MAX, &bytes, error))
        return false;
    keyfile = keyfile_decode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), error);
    if (!keyfile || !keyfile_open(keyfile, password, &opened, error))
        return false;
    same = memcmp(&opened, master, sizeof opened) == 0;
    secret_wipe(&opened, sizeof opened);
    if (!same)
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s holds another master key", key);
    return same;
}

bool repo_add_key(Store *store, const SealKey *master, const Secret *password, KeyCost cost,
                  const char *username, const char *hostname, Id *ret_id, GError **error)
{
    g_autoptr(GBytes) bytes = keyfile_encode(master, password, cost.n ? cost : key_cost_default,
                                             username, hostname, error);
    FileKey key;
    Id id;

    if (!bytes)
        return false;
    hash_bytes(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &id);
    key = file_key(FILE_KEY, &id);
    if (!store_put(store, key.text, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), false,
                   error))
        return false;
    if (!prove_key(store, key.text, master, password, error)) {
        (void)store_remove(store, key.text, NULL); // it only would be one damaged key more
        g_prefix_error(error, "the new key could not be proven: ");
        return false;
    }
    *ret_id = id;
    return true;
}

/* ---- init ---- */

static bool count_one(G_GNUC_UNUSED const StoreObject *object, void *user,
                      G_GNUC_UNUSED GError **error)
{
    ++*(unsigned *)user;
    return true;
}

static bool refuse(const Store *store, const char *why, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_EXISTS, "there is a repository at %s already: %s",
                store->location, why);
    return false;
}

/* A lost config is no reason to make a new one: with it, whatever lies there could not be read any
 * more. */
static bool is_free(Store *store, GError **error)
{
    static const struct {
        const char *prefix, *why;
    } places[] = {
        { "keys/",
          "it has no config, but keys/ is not empty; if an interrupted init left that, remove it" },
        { "snapshots/", "it has no config, but snapshots/ is not empty" },
    };
    g_autoptr(GError) absent = NULL;
    uint64_t size;

    if (store_stat(store, CONFIG_KEY, &size, &absent))
        return refuse(store, "config exists", error);
    if (!g_error_matches(absent, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&absent));
        return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        unsigned n = 0;

        if (!store_list(store, places[i].prefix, count_one, &n, error))
            return false;
        if (n > 0)
            return refuse(store, places[i].why, error);
    }
    return true;
}

static GBytes *seal_config(const RepoConfig *config, const SealKey *master)
{
    g_autoptr(Sealer) sealer = sealer_new(master);
    g_autofree char *text = config_encode(config);
    size_t len = strlen(text);
    uint8_t *sealed = g_malloc(len + SEAL_OVERHEAD);

    seal(sealer, text, len, sealed);
    return g_bytes_new_take(sealed, len + SEAL_OVERHEAD);
}

/* What the store holds as config; a lost answer to our put is not a failure, and a cut object is
 * one. */
static bool check_config(Store *store, GBytes *want, GError **error)
{
    g_autoptr(GBytes) got = NULL;

    if (!store_get_whole(store, CONFIG_KEY, CONFIG_MAX, &got, error))
        return false;
    return g_bytes_equal(got, want) || refuse(store, "somebody else was faster", error);
}

static bool put_config(Store *store, GBytes *sealed, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (!store_put(store, CONFIG_KEY, g_bytes_get_data(sealed, NULL), g_bytes_get_size(sealed),
                   true, &failure) &&
        !g_error_matches(failure, BS_ERROR, BS_ERROR_EXISTS)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    return check_config(store, sealed, error);
}

static RepoConfig config_for(const RepoInit *init)
{
    RepoConfig config = {
        .version = init->version,
        .polynomial = init->polynomial ? init->polynomial : polynomial_random(),
    };

    random_bytes(&config.id, sizeof config.id);
    return config;
}

/* Our key is of no use in a repository that somebody else made, or that was not made. Where the
 * answer to the last put is unknown it must stay: it may be the only one. */
static void take_back_key(Store *store, const Id *key, const GError *failure)
{
    g_autoptr(GError) absent = NULL;
    uint64_t size;

    if (g_error_matches(failure, BS_ERROR, BS_ERROR_EXISTS) ||
        (!store_stat(store, CONFIG_KEY, &size, &absent) &&
         g_error_matches(absent, BS_ERROR, BS_ERROR_NOT_FOUND)))
        (void)store_remove(store, file_key(FILE_KEY, key).text, NULL);
}

bool repo_init(Store *store, const Secret *password, const RepoInit *init, GError **error)
{
    RepoConfig config = config_for(init);
    g_autoptr(GBytes) sealed = NULL;
    g_autoptr(GError) failure = NULL;
    SealKey master;
    Id key;
    bool added;

    if (!is_free(store, error))
        return false;
    seal_key_random(&master);
    sealed = seal_config(&config, &master);
    added = repo_add_key(store, &master, password, init->cost, init->username, init->hostname, &key,
                         error);
    secret_wipe(&master, sizeof master);
    if (!added)
        return false;
    if (put_config(store, sealed, &failure))
        return true;
    take_back_key(store, &key, failure);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}
