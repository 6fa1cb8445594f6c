/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/mirrors.h"

#include "base/error.h"
#include "codec/rfc3339.h"

#include <string.h>

#define KIND      "mirrors"
#define MARK_KIND "copy"
#define TOKEN_LEN 16 /* bytes */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

MirrorKind mirror_kind(const char *key)
{
    if (g_str_has_prefix(key, file_dir(FILE_PACK)))
        return MIRROR_DATA;
    if (g_str_has_prefix(key, file_dir(FILE_LOCK)))
        return MIRROR_LOCK;
    return strcmp(key, MIRROR_MARK_KEY) == 0 ? MIRROR_OWN : MIRROR_NAMES;
}

/* ---- the list ---- */

void mirror_free(Mirror *mirror)
{
    if (!mirror)
        return;
    g_free(mirror->name);
    g_free(mirror->location);
    g_free(mirror->token);
    g_free(mirror);
}

bool mirror_name_is_valid(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > MIRROR_NAME_MAX)
        return false;
    for (; *name; name++)
        if (!g_ascii_isalnum(*name) && *name != '-')
            return false;
    return true;
}

static char *new_token(void)
{
    uint8_t random[TOKEN_LEN];
    GString *token = g_string_new(NULL);

    random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        g_string_append_printf(token, "%02x", random[i]);
    return g_string_free(token, FALSE);
}

Mirror *mirror_new(const char *name, const char *location, bool required)
{
    Mirror *mirror = g_new0(Mirror, 1);

    mirror->name = g_strdup(name);
    mirror->location = g_strdup(location);
    mirror->token = new_token();
    mirror->required = required;
    mirror->added = clock_now();
    return mirror;
}

static const char *text_of(const json_t *object, const char *field)
{
    return json_string_value(json_object_get(object, field));
}

static bool decode(const json_t *object, const Id *id, Mirror **ret_mirror, GError **error)
{
    const char *name = text_of(object, "name"), *location = text_of(object, "location");
    const char *token = text_of(object, "token"), *added = text_of(object, "added");
    const json_t *required = json_object_get(object, "required");
    Timestamp time;
    Mirror *mirror;

    if (!name || !mirror_name_is_valid(name) || !location || !*location || !token ||
        !json_is_boolean(required) || !added || !rfc3339_parse(added, strlen(added), &time, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: not the record of a mirror",
                    record_key(KIND, id).text);
        return false;
    }
    mirror = mirror_new(name, location, json_is_true(required));
    mirror->id = *id;
    mirror->added = time;
    g_free(mirror->token);
    mirror->token = g_strdup(token);
    *ret_mirror = mirror;
    return true;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    const Mirror *left = *(Mirror *const *)a, *right = *(Mirror *const *)b;

    return g_ascii_strcasecmp(left->name, right->name);
}

static bool note(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    MirrorNames *names = user;
    Id id;

    if (strcmp(object->key, MIRROR_MARK_KEY) == 0)
        names->marked = true;
    else if (record_parse_key(object->key, &id))
        g_array_append_val(names->ids, id);
    return true;
}

bool mirror_names_list(Store *store, MirrorNames *ret_names, GError **error)
{
    g_auto(MirrorNames) names = { .ids = g_array_new(FALSE, FALSE, sizeof(Id)) };

    if (!store_list(store, "backstay/" KIND "/", note, &names, error))
        return false;
    *ret_names = names;
    names.ids = NULL;
    return true;
}

void mirror_names_clear(MirrorNames *names)
{
    g_clear_pointer(&names->ids, g_array_unref);
}

bool mirrors_read(Repo *repo, const MirrorNames *names, GPtrArray **ret_mirrors, GError **error)
{
    g_autoptr(GPtrArray) mirrors = g_ptr_array_new_with_free_func((GDestroyNotify)mirror_free);

    for (guint i = 0; i < names->ids->len; i++) {
        const Id *id = &g_array_index(names->ids, Id, i);
        g_autoptr(json_t) object = NULL;
        Mirror *mirror = NULL;

        if (!record_load(repo, KIND, id, &object, error) || !decode(object, id, &mirror, error)) {
            g_prefix_error(error, "the list of mirrors cannot be read; bring the object back from "
                                  "a copy, or remove it and add the mirror again: ");
            return false;
        }
        g_ptr_array_add(mirrors, mirror);
    }
    g_ptr_array_sort(mirrors, compare_names);
    *ret_mirrors = g_steal_pointer(&mirrors);
    return true;
}

bool mirrors_load(Repo *repo, GPtrArray **ret_mirrors, bool *ret_marked, GError **error)
{
    g_auto(MirrorNames) names = { 0 };

    if (!mirror_names_list(repo_store(repo), &names, error) ||
        !mirrors_read(repo, &names, ret_mirrors, error))
        return false;
    if (ret_marked)
        *ret_marked = names.marked;
    return true;
}

Mirror *mirrors_find(const GPtrArray *mirrors, const char *name)
{
    for (guint i = 0; i < mirrors->len; i++) {
        Mirror *mirror = g_ptr_array_index(mirrors, i);

        if (g_ascii_strcasecmp(mirror->name, name) == 0)
            return mirror;
    }
    return NULL;
}

bool mirror_save(Repo *repo, Mirror *mirror, GError **error)
{
    char added[RFC3339_MAX];
    g_autoptr(json_t) object = NULL;

    rfc3339_format(mirror->added, added);
    object = json_pack("{s:i, s:s, s:s, s:s, s:b, s:s}", "version", 1, "name", mirror->name,
                       "location", mirror->location, "token", mirror->token, "required",
                       mirror->required, "added", added);
    if (!object) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "a location must be UTF-8");
        return false;
    }
    return record_save(repo, KIND, object, &mirror->id, error);
}

bool mirror_remove(Repo *repo, const Mirror *mirror, GError **error)
{
    return record_remove(repo, KIND, &mirror->id, error);
}

/* ---- the mark ---- */

void mirror_mark_clear(MirrorMark *mark)
{
    g_free(mark->name);
    g_free(mark->token);
    *mark = (MirrorMark){ 0 };
}

bool mirror_mark_load(Repo *repo, Store *store, MirrorMark *ret_mark, GError **error)
{
    g_autoptr(json_t) object = NULL;
    g_autoptr(GError) failure = NULL;
    const char *name, *token;

    *ret_mark = (MirrorMark){ 0 };
    if (!record_get(repo, store, MIRROR_MARK_KEY, MARK_KIND, &object, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
            return true;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    name = text_of(object, "name");
    token = text_of(object, "token");
    if (!name || !token) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, MIRROR_MARK_KEY ": not the mark of a copy");
        return false;
    }
    ret_mark->name = g_strdup(name);
    ret_mark->token = g_strdup(token);
    return true;
}

bool mirror_mark_save(Repo *repo, Store *store, const Mirror *mirror, GError **error)
{
    g_autoptr(json_t) object =
        json_pack("{s:i, s:s, s:s}", "version", 1, "name", mirror->name, "token", mirror->token);

    return record_put(repo, store, MIRROR_MARK_KEY, MARK_KIND, object, error);
}

bool mirror_mark_check(Repo *repo, Store *store, const Mirror *mirror, GError **error)
{
    g_auto(MirrorMark) mark = { 0 };

    if (!mirror_mark_load(repo, store, &mark, error))
        return false;
    if (!mark.name) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "%s bears no mark of this mirror; is its disk mounted? If it is empty or new, "
                    "run `backstay mirror sync --refill %s`",
                    store->location, mirror->name);
        return false;
    }
    if (strcmp(mark.token, mirror->token) == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_EXISTS,
                "%s is mirror \"%s\" of another list; somebody promoted a copy, or added it "
                "elsewhere",
                store->location, mark.name);
    return false;
}
