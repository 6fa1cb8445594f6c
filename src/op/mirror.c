/* SPDX-License-Identifier: Apache-2.0 */
#include "op/mirror.h"

#include "base/error.h"
#include "op/remembered.h"
#include "repo/heal.h"
#include <string.h>

char *mirror_suggest_name(const char *location)
{
    g_autofree char *canonical = remembered_location(location);
    g_autofree char *name = NULL;

    if (strstr(canonical, "://")) {
        const char *host = strstr(canonical, "://") + 3;

        name = g_strndup(host, strcspn(host, ".:/"));
    } else
        name = g_path_get_basename(canonical);
    g_strcanon(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", '-');
    if (strlen(name) > MIRROR_NAME_MAX)
        name[MIRROR_NAME_MAX] = '\0';
    return strspn(name, "-") < strlen(name) ? g_steal_pointer(&name) : NULL;
}

/* ---- is the place free, or ours? ---- */

static bool holds_other(const Store *store, const char *what, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                "%s is neither empty nor a copy of this repository: %s", store->location, what);
    return false;
}

static bool something(G_GNUC_UNUSED const StoreObject *object, void *user,
                      G_GNUC_UNUSED GError **error)
{
    *(bool *)user = true;
    return true;
}

static bool is_empty(Store *store, GError **error)
{
    static const FileType types[] = { FILE_KEY, FILE_SNAPSHOT, FILE_INDEX, FILE_PACK };

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        bool any = false;

        if (!store_list(store, file_dir(types[i]), something, &any, error))
            return false;
        if (any)
            return holds_other(store, file_dir(types[i]), error);
    }
    return true;
}

/* A mark of ours tells enough: a fill that was interrupted has no config. */
static bool check_place(Repo *repo, Store *store, const GPtrArray *mirrors, GError **error)
{
    g_auto(MirrorMark) mark = { 0 };
    g_autoptr(GError) failure = NULL;
    ConfigState config;

    if (!mirror_mark_load(repo, store, &mark, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT))
            return holds_other(store, failure->message, error);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    for (guint i = 0; mark.token && i < mirrors->len; i++) {
        const Mirror *mirror = g_ptr_array_index(mirrors, i);

        if (strcmp(mirror->token, mark.token) == 0) {
            g_set_error(error, BS_ERROR, BS_ERROR_EXISTS, "%s is mirror \"%s\" already",
                        store->location, mirror->name);
            return false;
        }
    }
    if (!heal_config_state(repo, store, &config, error))
        return false;
    if (config != CONFIG_MISSING)
        return config == CONFIG_OURS || holds_other(store, "another config", error);
    return mark.token || is_empty(store, error);
}

/* Marked there, it must not show here. */
static bool is_elsewhere(OpenRepo *open, Store *store, const Mirror *mirror, GError **error)
{
    g_auto(MirrorMark) here = { 0 };

    if (!mirror_mark_load(open->repo, open->at.store, &here, error))
        return false;
    if (!here.token || strcmp(here.token, mirror->token) != 0)
        return true;
    if (store_remove(store, MIRROR_MARK_KEY, error))
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s is the repository itself",
                    store->location);
    return false;
}

static bool mark_place(const Settings *settings, OpenRepo *open, const Mirror *mirror,
                       const GPtrArray *mirrors, const Cancel *cancel, GError **error)
{
    g_auto(OpenStore) at = { 0 };

    return mirrorset_open_place(settings, mirror, true, cancel, &at, error) &&
           open_store_create(&at, error) && check_place(open->repo, at.store, mirrors, error) &&
           mirror_mark_save(open->repo, at.store, mirror, error) &&
           is_elsewhere(open, at.store, mirror, error);
}

/* ---- the list ---- */

static bool load(OpenRepo *open, GPtrArray **ret_mirrors, GError **error)
{
    bool marked;

    if (!mirrors_load(open->repo, ret_mirrors, &marked, error))
        return false;
    if (!marked)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                "%s is a mirror itself; change the list in the repository",
                open->at.store->location);
    g_clear_pointer(ret_mirrors, g_ptr_array_unref);
    return false;
}

static bool check_new(const GPtrArray *mirrors, const char *name, const char *location,
                      GError **error)
{
    if (!mirror_name_is_valid(name)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "mirror \"%s\": a name has 1 to %d letters, digits and '-'; give one with "
                    "--name",
                    name, MIRROR_NAME_MAX);
        return false;
    }
    if (mirrors_find(mirrors, name)) {
        g_set_error(error, BS_ERROR, BS_ERROR_EXISTS,
                    "there is a mirror \"%s\" already; give another name with --name", name);
        return false;
    }
    for (guint i = 0; i < mirrors->len; i++) {
        const Mirror *mirror = g_ptr_array_index(mirrors, i);

        if (strcmp(mirror->location, location) == 0) {
            g_set_error(error, BS_ERROR, BS_ERROR_EXISTS, "%s is mirror \"%s\" already", location,
                        mirror->name);
            return false;
        }
    }
    return true;
}

static Mirror *find(const GPtrArray *mirrors, const char *name, GError **error)
{
    Mirror *mirror = mirrors_find(mirrors, name);

    if (!mirror)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "there is no mirror \"%s\"; `backstay mirror list` shows all", name);
    return mirror;
}

bool op_mirror_add(const Settings *settings, OpenRepo *open, const char *location, const char *name,
                   bool required, const Cancel *cancel, Mirror **ret_mirror, GError **error)
{
    g_autofree char *canonical = remembered_location(location);
    g_autoptr(GPtrArray) mirrors = NULL;
    g_autoptr(Mirror) mirror = mirror_new(name, canonical, required);

    if (!load(open, &mirrors, error) || !check_new(mirrors, name, canonical, error) ||
        !mark_place(settings, open, mirror, mirrors, cancel, error) ||
        !mirror_save(open->repo, mirror, error))
        return false;
    *ret_mirror = g_steal_pointer(&mirror);
    return true;
}

bool op_mirror_refill(const Settings *settings, OpenRepo *open, const char *name,
                      const Cancel *cancel, GError **error)
{
    g_autoptr(GPtrArray) mirrors = NULL;
    g_autoptr(GError) problem = NULL;
    const Mirror *mirror = NULL;

    if (!load(open, &mirrors, error) || !(mirror = find(mirrors, name, error)))
        return false;
    if (mark_place(settings, open, mirror, mirrors, cancel, &problem) ||
        g_error_matches(problem, BS_ERROR, BS_ERROR_EXISTS)) // it has its mark
        return true;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

bool op_mirror_remove(OpenRepo *open, const char *name, GError **error)
{
    g_autoptr(GPtrArray) mirrors = NULL;
    const Mirror *mirror = NULL;

    return load(open, &mirrors, error) && (mirror = find(mirrors, name, error)) &&
           mirror_remove(open->repo, mirror, error);
}

/* ---- status ---- */

bool op_mirror_status(const Settings *settings, OpenRepo *open, const Mirror *mirror,
                      const Cancel *cancel, MirrorStatus *ret_status, GError **error)
{
    g_auto(OpenStore) at = { 0 };
    g_autoptr(Sync) sync = NULL;
    MirrorStatus status = { .mirror = mirror };

    if (mirrorset_open_place(settings, mirror, false, cancel, &at, &status.why) &&
        mirror_mark_check(open->repo, at.store, mirror, &status.why) &&
        sync_compare(open->repo, open->at.store, at.store, SYNC_ALL, cancel, &sync, &status.why)) {
        status.reached = true;
        status.facts = *sync_facts(sync);
    }
    if (g_error_matches(status.why, BS_ERROR, BS_ERROR_CANCELLED)) {
        g_propagate_error(error, status.why);
        return false;
    }
    *ret_status = status;
    return true;
}

/* ---- promoting ---- */

/* Under a new token. */
static bool take_over(const Settings *settings, OpenRepo *open, const Mirror *old,
                      const Cancel *cancel, GError **error)
{
    g_autoptr(Mirror) mirror = mirror_new(old->name, old->location, old->required);
    g_auto(OpenStore) at = { 0 };

    mirror->added = old->added;
    return mirrorset_open_place(settings, old, false, cancel, &at, error) &&
           mirror_mark_check(open->repo, at.store, old, error) &&
           mirror_save(open->repo, mirror, error) &&
           mirror_mark_save(open->repo, at.store, mirror, error);
}

bool op_mirror_promote(const Settings *settings, OpenRepo *open,
                       void (*dropped)(const Mirror *mirror, const GError *why, void *user),
                       void *user, const Cancel *cancel, GError **error)
{
    g_autoptr(GPtrArray) mirrors = NULL;
    g_auto(MirrorMark) mark = { 0 };

    if (!mirrors_load(open->repo, &mirrors, NULL, error) ||
        !mirror_mark_load(open->repo, open->at.store, &mark, error))
        return false;
    if (!mark.token) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s bears no mark: it is no mirror",
                    open->at.store->location);
        return false;
    }
    for (guint i = 0; i < mirrors->len; i++) {
        const Mirror *mirror = g_ptr_array_index(mirrors, i);
        bool itself = strcmp(mirror->token, mark.token) == 0;
        g_autoptr(GError) why = NULL;

        if (!itself && !take_over(settings, open, mirror, cancel, &why)) {
            if (!cancel_check(cancel, error))
                return false;
            dropped(mirror, why, user);
        }
        if (!mirror_remove(open->repo, mirror, error))
            return false;
    }
    // last: until then it is a mirror, and this can be done again
    return store_remove(open->at.store, MIRROR_MARK_KEY, error);
}
