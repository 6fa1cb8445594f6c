/* SPDX-License-Identifier: Apache-2.0 */
#include "op/remembered.h"

#include "base/fs.h"
#include "base/log.h"
#include "codec/hash.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES (1024u * 1024)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

char *remembered_location(const char *location)
{
    const char *colon = strchr(location, ':'), *slash = strchr(location, '/');

    if (g_str_has_prefix(location, "local:"))
        location += strlen("local:");
    else if (colon && (!slash || colon < slash))
        return g_strdup(location); // s3:... and the like
    return g_canonicalize_filename(location, NULL);
}

static char *file_of(const char *state_dir, const char *kind, const char *location,
                     const char *ending)
{
    g_autofree char *canonical = remembered_location(location);
    g_autofree char *name = NULL;
    Id id;

    hash_bytes(canonical, strlen(canonical), &id);
    name = g_strconcat(id_hex(&id).text, ending, NULL);
    return g_build_filename(state_dir, kind, name, NULL);
}

static char *text_of(const char *repo_id, const GPtrArray *mirrors)
{
    json_t *list = json_array();
    g_autoptr(json_t) object = json_pack("{s:s, s:o}", "repository", repo_id, "mirrors", list);

    for (guint i = 0; i < mirrors->len; i++) {
        const Mirror *mirror = g_ptr_array_index(mirrors, i);

        json_array_append_new(
            list, json_pack("{s:s, s:s}", "name", mirror->name, "location", mirror->location));
    }
    return json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
}

static bool is_as_it_was(const char *file, const char *text)
{
    g_autoptr(GBytes) bytes = NULL;

    return fs_read_file(file, FILE_MAX_BYTES, &bytes, NULL) &&
           g_bytes_get_size(bytes) == strlen(text) &&
           memcmp(g_bytes_get_data(bytes, NULL), text, strlen(text)) == 0;
}

static void keep(const char *file, const char *text)
{
    g_autofree char *dir = g_path_get_dirname(file);
    g_autoptr(GError) failure = NULL;

    if (!is_as_it_was(file, text) &&
        (!fs_make_dirs(dir, 0700, &failure) ||
         !fs_write_durable(file, text, strlen(text), 0600, FS_REPLACE, &failure)))
        log_debug("not remembered", "file", file, "why", failure->message, NULL);
}

void remembered_save(const char *state_dir, const char *location, const char *repo_id,
                     const GPtrArray *mirrors)
{
    g_autofree char *file = file_of(state_dir, "mirrors", location, ".json");
    char *text;

    if (mirrors->len == 0) {
        (void)unlink(file); // most often there is none
        return;
    }
    text = text_of(repo_id, mirrors);
    keep(file, text);
    free(text);
}

void remembered_key_save(const char *state_dir, const char *location, const Id *key)
{
    g_autofree char *file = file_of(state_dir, "keys", location, "");

    keep(file, id_hex(key).text);
}

char *remembered_key_load(const char *state_dir, const char *location)
{
    g_autofree char *file = file_of(state_dir, "keys", location, "");
    g_autoptr(GBytes) bytes = NULL;

    if (!fs_read_file(file, ID_HEX_LEN, &bytes, NULL))
        return NULL;
    return g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

GPtrArray *remembered_load(const char *state_dir, const char *location, char **ret_repo_id)
{
    g_autofree char *file = file_of(state_dir, "mirrors", location, ".json");
    g_autoptr(GPtrArray) mirrors = g_ptr_array_new_with_free_func((GDestroyNotify)mirror_free);
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(json_t) object = NULL;
    const char *id;
    const json_t *entry;
    size_t i;

    if (!fs_read_file(file, FILE_MAX_BYTES, &bytes, NULL))
        return NULL;
    object = json_loadb(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), 0, NULL);
    id = json_string_value(json_object_get(object, "repository"));
    json_array_foreach(json_object_get(object, "mirrors"), i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "name"));
        const char *at = json_string_value(json_object_get(entry, "location"));

        if (name && at)
            g_ptr_array_add(mirrors, mirror_new(name, at, false));
    }
    if (!id || mirrors->len == 0)
        return NULL;
    *ret_repo_id = g_strdup(id);
    return g_steal_pointer(&mirrors);
}
