/* SPDX-License-Identifier: Apache-2.0 */
#include "op/adopt.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "config/yaml.h"
#include "state/aside.h"
#include "state/portable.h"
#include <errno.h>
#include <string.h>

/* ---- which one ---- */

/* One that cannot be read is told, and others may serve. */
static bool load(Repo *repo, Installation *installation, GError **first)
{
    g_autoptr(GError) failure = NULL;

    if (installation_load(repo, installation, &failure))
        return true;
    log_warn("a copy of the configuration cannot be read", "key", installation->key, "error",
             failure->message, NULL);
    if (!*first)
        *first = g_steal_pointer(&failure);
    return false;
}

static bool nothing_there(const GPtrArray *list, const char *host, const char *id, GError *first,
                          GError **error)
{
    if (first)
        g_propagate_error(error, first);
    else if (list->len == 0)
        g_set_error_literal(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                            "the repository holds no copy of a configuration; `backstay run` and "
                            "the daemon write one with each run. Snapshots can be restored "
                            "without: `backstay snapshots`");
    else
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "the repository holds no copy%s%s%s%s; see `backstay adopt --list`",
                    host ? " of host " : "", host ? host : "", id ? " with the id " : "",
                    id ? id : "");
    return false;
}

bool adopt_choose(Repo *repo, const GPtrArray *list, const char *host, const char *id,
                  Installation **ret_chosen, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    Installation *chosen = NULL;
    GError *first = NULL;

    for (guint i = 0; i < list->len; i++) {
        Installation *next = list->pdata[i];

        if (id ? !g_str_has_prefix(next->id, id) : g_hash_table_contains(seen, next->group))
            continue;
        if (!load(repo, next, &first))
            continue;
        g_hash_table_add(seen, next->group);
        if (host && strcmp(next->host, host) != 0)
            continue;
        if (chosen && strcmp(chosen->host, next->host) != 0) {
            g_clear_error(&first);
            g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                        "the repository holds copies of %s, %s and perhaps others; choose with "
                        "--host, `backstay adopt --list` shows them",
                        chosen->host, next->host);
            return false;
        }
        // newest first
        if (!chosen || (!chosen->catalogue && next->catalogue))
            chosen = next;
    }
    if (!chosen)
        return nothing_there(list, host, id, first, error);
    g_clear_error(&first);
    *ret_chosen = chosen;
    return true;
}

/* ---- what it needs ---- */

static void secret_place_free(gpointer data)
{
    AdoptSecret *secret = data;

    g_free(secret->place);
    g_free(secret->reference);
    g_free(secret->problem);
    g_free(secret);
}

void adopt_needs_clear(AdoptNeeds *needs)
{
    g_clear_pointer(&needs->secrets, g_ptr_array_unref);
    g_clear_pointer(&needs->schedules, g_ptr_array_unref);
    g_free(needs->catalogue);
    g_free(needs->catalogue_password);
    g_free(needs->repository);
    *needs = (AdoptNeeds){ 0 };
}

/* Commands of a file are not run just to see what they print. */
static char *problem_with(const char *reference)
{
    g_autoptr(Secret) secret = NULL;
    g_autoptr(GError) failure = NULL;

    if (g_str_has_prefix(reference, "command://") ||
        reference_resolve("this", reference, &secret, &failure))
        return NULL;
    return g_strdup(g_str_has_prefix(failure->message, "this: ")
                        ? failure->message + strlen("this: ")
                        : failure->message);
}

static void find_secrets(const json_t *value, const char *pointer, GPtrArray *secrets)
{
    const char *text = json_string_value(value), *key;
    json_t *child;
    size_t i;

    if (text && reference_is(text)) {
        AdoptSecret *secret = g_new0(AdoptSecret, 1);

        secret->place = pointer_text(pointer);
        secret->reference = g_strdup(text);
        secret->problem = problem_with(text);
        g_ptr_array_add(secrets, secret);
    }
    json_object_foreach((json_t *)value, key, child)
    {
        g_autofree char *place = pointer_join(pointer, key);

        find_secrets(child, place, secrets);
    }
    json_array_foreach((json_t *)value, i, child)
    {
        g_autofree char *place = pointer_index(pointer, i);

        find_secrets(child, place, secrets);
    }
}

/* A value that may stand behind a reference itself. */
static char *plain(const json_t *value)
{
    const char *text = json_string_value(value);
    g_autoptr(Secret) secret = NULL;

    if (!text || !reference_is(text))
        return g_strdup(text);
    return reference_resolve("this", text, &secret, NULL) ? g_strdup(secret_data(secret)) : NULL;
}

static void fill_needs(const json_t *root, const char *location, AdoptNeeds *needs)
{
    const json_t *server = json_object_get(root, "server"), *value;
    const char *name;

    needs->secrets = g_ptr_array_new_with_free_func(secret_place_free);
    needs->schedules = g_ptr_array_new_with_free_func(g_free);
    find_secrets(root, "", needs->secrets);
    json_object_foreach(json_object_get(root, "schedules"), name, value)
        g_ptr_array_add(needs->schedules, g_strdup(name));
    needs->catalogue = plain(json_object_get(server, "catalogue"));
    needs->catalogue_password =
        g_strdup(json_string_value(json_object_get(server, "catalogue_password")));
    json_object_foreach(json_object_get(root, "repositories"), name, value)
    {
        g_autofree char *at = plain(json_object_get(value, "location"));

        if (!needs->repository && g_strcmp0(at, location) == 0)
            needs->repository = g_strdup(name);
    }
}

bool adopt_needs(const Installation *installation, const char *location, AdoptNeeds *ret_needs,
                 GError **error)
{
    g_autoptr(GHashTable) marks = marks_new();
    g_autoptr(GPtrArray) problems = problems_new();
    json_auto_t *root = NULL;

    if (!yaml_parse(installation->config_text, strlen(installation->config_text), &root, marks,
                    problems)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: the configuration in it is damaged",
                    installation->key);
        return false;
    }
    *ret_needs = (AdoptNeeds){ 0 };
    fill_needs(root, location, ret_needs);
    return true;
}

/* ---- the configuration ---- */

bool adopt_check_config(const Installation *installation, const char *path, bool force,
                        bool *ret_same, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) failure = NULL;
    const char *text = installation->config_text;

    *ret_same = false;
    if (!fs_read_file(path, YAML_BYTES_MAX, &bytes, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND) ||
            (force && g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT)))
            return true;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    *ret_same = g_bytes_get_size(bytes) == strlen(text) &&
                memcmp(g_bytes_get_data(bytes, NULL), text, strlen(text)) == 0;
    if (*ret_same || force)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_EXISTS,
                "there is another configuration %s already; --force keeps it under another name, "
                "--config names another file",
                path);
    return false;
}

/* What lies there is kept: a second name first, then the new file over the old one. */
static bool keep_aside(const char *path, const char *dir, char **ret_aside, GError **error)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time = g_date_time_format(now, "%Y%m%dT%H%M%SZ");
    g_autofree char *aside = g_strconcat(path, ".before-", time, NULL);

    if (link(path, aside) == 0) {
        *ret_aside = g_steal_pointer(&aside);
        return fs_sync_dir(dir, error);
    }
    if (errno == ENOENT)
        return true;
    bs_error_errno(error, errno, "keeping %s as %s", path, aside);
    return false;
}

bool adopt_write_config(const Installation *installation, const char *path, char **ret_aside,
                        GError **error)
{
    g_autofree char *dir = g_path_get_dirname(path), *parent = g_path_get_dirname(dir);
    g_autofree char *aside = NULL;
    const char *text = installation->config_text;

    // it names secrets and holds none, and the daemon may be another user
    if (!fs_make_dirs(dir, 0755, error) || !fs_sync_dir(parent, error) ||
        !keep_aside(path, dir, &aside, error) ||
        !fs_write_durable(path, text, strlen(text), 0644, FS_REPLACE, error))
        return false;
    *ret_aside = g_steal_pointer(&aside);
    return true;
}
