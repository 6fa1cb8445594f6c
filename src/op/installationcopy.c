/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of configuration and catalogue go along when snapshots are copied. Their names and seals
 * are made with a repository's key, so each is opened and made anew. */
#include "base/error.h"
#include "base/log.h"
#include "op/installing.h"
#include "repo/record.h"
#include "state/catalog.h"

#include <string.h>

typedef struct {
    char *group, *key; /* in the other repository */
    json_t *object;
} Carried;

static void carried_clear(Carried *carried)
{
    g_free(carried->group);
    g_free(carried->key);
    json_decref(carried->object);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Carried, carried_clear)

/* What it is called there: of what is in it but for what every writing changes. */
static void name_it(Repo *to, const Installation *installation, Carried *carried)
{
    static const char *const passing[] = { "time", "backstay_version", "kind", "repository" };
    json_t *lasting = json_deep_copy(carried->object);
    g_autofree char *digest = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(passing); i++)
        json_object_del(lasting, passing[i]);
    digest = installation_digest(to, lasting);
    json_decref(lasting);
    carried->group =
        installation_group(to, json_string_value(json_object_get(carried->object, "host")),
                           json_is_object(json_object_get(carried->object, "catalogue")));
    carried->key = installation_key(
        carried->group, installation->time.sec * 1000 + installation->time.nsec / 1000000, digest);
}

/* Whether it is there, or there are as many newer ones of its group as are kept. */
static bool is_needed(const GPtrArray *there, const Carried *carried)
{
    unsigned newer = 0;

    for (guint i = 0; i < there->len; i++) {
        const Installation *other = there->pdata[i];

        if (strcmp(other->key, carried->key) == 0)
            return false;
        // in the same group keys are in order of time
        newer += strcmp(other->group, carried->group) == 0 && strcmp(other->key, carried->key) > 0;
    }
    return newer < INSTALLATION_COPIES;
}

static bool carry(Repo *from, Repo *to, const Installation *installation, const GPtrArray *there,
                  bool *ret_copied, GError **error)
{
    g_auto(Carried) carried = { 0 };

    *ret_copied = false;
    if (!record_get(from, repo_store(from), installation->key, INSTALLATION_KIND, &carried.object,
                    error))
        return false;
    if (!json_is_string(json_object_get(carried.object, "host"))) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: not a copy of a configuration",
                    installation->key);
        return false;
    }
    name_it(to, installation, &carried);
    if (!is_needed(there, &carried))
        return true;
    *ret_copied = true;
    return record_put(to, repo_store(to), carried.key, INSTALLATION_KIND, carried.object, error);
}

/* Those above INSTALLATION_COPIES of each group; keys that may only add leave that to others. */
static void remove_old(Repo *to)
{
    g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) list = NULL;

    if (!installation_list(to, &list, NULL))
        return;
    for (guint i = 0; i < list->len; i++) {
        const Installation *one = list->pdata[i];
        const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, one->group)) + 1;

        g_hash_table_insert(counts, one->group, GUINT_TO_POINTER(n));
        if (n > INSTALLATION_COPIES && !store_remove(repo_store(to), one->key, NULL))
            return;
    }
}

bool installation_copy(Repo *from, Repo *to, uint64_t *copied, uint64_t *held_back, GError **error)
{
    g_autoptr(GPtrArray) here = NULL, there = NULL;
    const uint64_t before = *copied;

    if (!installation_list(from, &here, error) || here->len == 0)
        return here != NULL;
    if (!installation_list(to, &there, error))
        return false;
    for (guint i = 0; i < here->len; i++) {
        const Installation *installation = here->pdata[i];
        g_autoptr(GError) problem = NULL;
        bool is_new;

        if (carry(from, to, installation, there, &is_new, &problem)) {
            *copied += is_new;
        } else if (g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT)) {
            ++*held_back;
            log_warn("a copy of the configuration cannot be copied", "key", installation->key,
                     "error", problem->message, NULL);
        } else if (!g_error_matches(problem, BS_ERROR, BS_ERROR_NOT_FOUND)) { // an old one, removed
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
    }
    if (*copied > before)
        remove_old(to);
    return true;
}
