/* SPDX-License-Identifier: Apache-2.0 */
#include "op/installing.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "codec/hash.h"
#include "codec/kdf.h"
#include "codec/rfc3339.h"
#include "config/configuration.h"
#include "config/fromenv.h"
#include "config/yaml.h"
#include "op/identity.h"
#include "repo/record.h"
#include "state/portable.h"
#include <string.h>

#define LABEL     "backstay installations v1"
#define TAG_LEN   16 /* hexadecimal digits of group and digest */
#define TIME_LEN  12
#define RUNS      200
#define STALE_MS  (INT64_C(86400) * 1000)
#define VERSION   1
#define TEXT_ROOM (RECORD_MAX - 4096u) /* a record adds its kind and repository */

void installation_places_clear(InstallationPlaces *places)
{
    g_free(places->config);
    g_free(places->catalogue);
    g_free(places->catalogue_password);
    *places = (InstallationPlaces){ 0 };
}

void installation_free(Installation *installation)
{
    if (!installation)
        return;
    g_free(installation->id);
    g_free(installation->group);
    g_free(installation->key);
    g_free(installation->host);
    g_free(installation->version);
    g_free(installation->config_path);
    g_free(installation->config_text);
    json_decref(installation->catalogue);
    g_free(installation);
}

/* ---- names ---- */

/* 16 digits that only who has the repository's key can make of a text. */
static char *tag_of(Repo *repo, const char *text, size_t len)
{
    uint8_t key[32];
    g_autoptr(Hash) hash = hash_new();
    Id inner, outer;

    kdf_hkdf(repo_master_key(repo), sizeof(SealKey), LABEL, key, sizeof key);
    hash_bytes(text, len, &inner);
    hash_update(hash, key, sizeof key);
    hash_update(hash, &inner, sizeof inner);
    hash_final(hash, &outer);
    secret_wipe(key, sizeof key);
    return g_strndup(id_hex(&outer).text, TAG_LEN);
}

char *installation_group(Repo *repo, const char *host, bool has_catalogue)
{
    g_autofree char *text = g_strconcat(has_catalogue ? "catalogue " : "alone ", host, NULL);

    return tag_of(repo, text, strlen(text));
}

char *installation_key(const char *group, int64_t time_ms, const char *digest)
{
    return g_strdup_printf(INSTALLATION_DIR "%s/%012" G_GINT64_MODIFIER "x-%s", group, time_ms,
                           digest);
}

static bool is_hex(const char *text, size_t len)
{
    return strlen(text) >= len && strspn(text, "0123456789abcdef") >= len;
}

/* NULL: another's name. */
static Installation *parse_key(const char *key)
{
    g_auto(GStrv) parts = g_strsplit(key + strlen(INSTALLATION_DIR), "/", -1);
    Installation *installation;
    int64_t ms;

    if (g_strv_length(parts) != 2 || strlen(parts[0]) != TAG_LEN || !is_hex(parts[0], TAG_LEN) ||
        strlen(parts[1]) != TIME_LEN + 1 + TAG_LEN || !is_hex(parts[1], TIME_LEN) ||
        parts[1][TIME_LEN] != '-' || !is_hex(parts[1] + TIME_LEN + 1, TAG_LEN))
        return NULL;
    ms = g_ascii_strtoll(parts[1], NULL, 16);
    installation = g_new0(Installation, 1);
    installation->key = g_strdup(key);
    installation->group = g_strdup(parts[0]);
    installation->id = g_strdup(parts[1] + TIME_LEN + 1);
    installation->time = (Timestamp){ ms / 1000, (uint32_t)(ms % 1000) * 1000000 };
    return installation;
}

static bool add_name(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    Installation *installation = parse_key(object->key);

    if (installation)
        g_ptr_array_add(user, installation);
    return true;
}

static gint newest_first(gconstpointer a, gconstpointer b)
{
    const Installation *left = *(Installation *const *)a, *right = *(Installation *const *)b;
    int by_time = timestamp_compare(right->time, left->time);

    return by_time ? by_time : strcmp(left->key, right->key);
}

bool installation_list(Repo *repo, GPtrArray **ret_installations, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)installation_free);

    if (!store_list(repo_store(repo), INSTALLATION_DIR, add_name, list, error))
        return false;
    g_ptr_array_sort(list, newest_first);
    *ret_installations = g_steal_pointer(&list);
    return true;
}

/* ---- what is in one ---- */

static bool pack_file(const char *path, json_t **ret_packed, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(Configuration) configuration = NULL;
    const char *text;
    size_t len;

    if (!fs_read_file(path, YAML_BYTES_MAX, &bytes, error))
        return false;
    text = g_bytes_get_data(bytes, &len);
    // what is no configuration would be no help, and nobody knows what stands in it
    if (!configuration_parse(path, text, len, &configuration, error))
        return false;
    *ret_packed = json_pack("{s:s, s:s%}", "path", path, "text", text, len);
    if (!*ret_packed)
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "%s: not UTF-8", path);
    return *ret_packed != NULL;
}

static bool pack_environment(json_t **ret_packed, GError **error)
{
    g_autoptr(GHashTable) marks = marks_new();
    g_autoptr(GPtrArray) problems = problems_new();
    json_auto_t *tree = NULL;
    char *text;

    if (!environment_tree(&tree, marks, problems)) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                            "there is neither a configuration file nor ENABLE_BACKUPS=true");
        return false;
    }
    text = json_dumps(tree, JSON_INDENT(2)); // which is YAML, too
    *ret_packed = json_pack("{s:n, s:s}", "path", "text", text);
    free(text);
    return true;
}

static bool pack_catalogue(const InstallationPlaces *places, json_t **ret_packed, GError **error)
{
    g_autoptr(Secret) password = NULL;
    g_autoptr(Catalog) catalog = NULL;
    g_autoptr(GError) failure = NULL;

    if (places->catalogue_password &&
        !reference_resolve("server.catalogue_password", places->catalogue_password, &password,
                           error))
        return false;
    if (catalog_open_existing(places->catalogue, password, &catalog, &failure))
        return catalog_pack(catalog, RUNS, ret_packed, error);
    if (!places->has_catalogue && g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        *ret_packed = json_null();
        return true;
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* Without time and version, which change with every run. */
static bool pack(const InstallationPlaces *places, json_t **ret_packed, GError **error)
{
    g_autofree char *host = identity_host(NULL);
    json_auto_t *configuration = NULL;
    json_auto_t *catalogue = NULL;

    if (!(places->config ? pack_file(places->config, &configuration, error)
                         : pack_environment(&configuration, error)) ||
        !pack_catalogue(places, &catalogue, error))
        return false;
    *ret_packed = json_pack("{s:i, s:s, s:O, s:O}", "version", VERSION, "host", host,
                            "configuration", configuration, "catalogue", catalogue);
    if (!*ret_packed)
        g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE, "the host's name is not UTF-8");
    return *ret_packed != NULL;
}

char *installation_digest(Repo *repo, const json_t *packed)
{
    json_auto_t *lasting = json_deep_copy(packed);
    g_autofree char *digest = NULL;
    char *text;

    json_object_del(json_object_get(lasting, "catalogue"), "runs");
    text = json_dumps(lasting, JSON_COMPACT | JSON_SORT_KEYS);
    digest = tag_of(repo, text, strlen(text));
    free(text);
    return g_steal_pointer(&digest);
}

/* Half the runs, until it fits. */
static bool make_fit(json_t *packed, GError **error)
{
    json_t *runs = json_object_get(json_object_get(packed, "catalogue"), "runs");

    while (json_dumpb(packed, NULL, 0, JSON_COMPACT) > TEXT_ROOM) {
        size_t n = json_array_size(runs);

        if (n == 0) {
            g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                        "configuration and catalogue are larger than %u KiB", TEXT_ROOM / 1024);
            return false;
        }
        while (json_array_size(runs) > n / 2)
            json_array_remove(runs, json_array_size(runs) - 1);
    }
    return true;
}

/* ---- saving ---- */

/* From the newest copy on. */
static void remove_old(Repo *repo, const GPtrArray *list, const char *group)
{
    unsigned n = 1; // the one that was just written

    for (guint i = 0; i < list->len; i++) {
        const Installation *old = list->pdata[i];
        g_autoptr(GError) failure = NULL;

        if (strcmp(old->group, group) != 0 || ++n <= INSTALLATION_COPIES ||
            store_remove(repo_store(repo), old->key, &failure))
            continue;
        // keys that may only add leave that to others
        log_debug("an old copy of the configuration stays", "key", old->key, "error",
                  failure->message, NULL);
        return;
    }
}

static const Installation *newest_of(const GPtrArray *list, const char *group)
{
    for (guint i = 0; i < list->len; i++)
        if (strcmp(((const Installation *)list->pdata[i])->group, group) == 0)
            return list->pdata[i];
    return NULL;
}

static bool is_fresh(const Installation *newest, const char *digest, int64_t now_ms)
{
    int64_t age_ms = newest ? now_ms - newest->time.sec * 1000 : STALE_MS;

    // one of the future says nothing of today
    return newest && strcmp(newest->id, digest) == 0 && age_ms < STALE_MS && age_ms > -STALE_MS;
}

bool installation_save(Repo *repo, const InstallationPlaces *places, bool *ret_written,
                       GError **error)
{
    json_auto_t *packed = NULL;
    g_autoptr(GPtrArray) list = NULL;
    g_autofree char *digest = NULL, *group = NULL, *key = NULL;
    int64_t now_ms = clock_now_ms();
    char time[RFC3339_MAX];

    *ret_written = false;
    if (!pack(places, &packed, error) || !installation_list(repo, &list, error))
        return false;
    group = installation_group(repo, json_string_value(json_object_get(packed, "host")),
                               json_is_object(json_object_get(packed, "catalogue")));
    digest = installation_digest(repo, packed);
    if (is_fresh(newest_of(list, group), digest, now_ms))
        return true;
    rfc3339_format(clock_now(), time);
    json_object_set_new(packed, "time", json_string(time));
    json_object_set_new(packed, "backstay_version", json_string(BS_VERSION));
    key = installation_key(group, now_ms, digest);
    if (!make_fit(packed, error) ||
        !record_put(repo, repo_store(repo), key, INSTALLATION_KIND, packed, error))
        return false;
    remove_old(repo, list, group);
    *ret_written = true;
    return true;
}

/* ---- loading ---- */

static bool take(Installation *installation, const json_t *object)
{
    const json_t *configuration = json_object_get(object, "configuration");
    json_t *catalogue = json_object_get(object, "catalogue");

    installation->host = g_strdup(json_string_value(json_object_get(object, "host")));
    installation->version =
        g_strdup(json_string_value(json_object_get(object, "backstay_version")));
    installation->config_path = g_strdup(json_string_value(json_object_get(configuration, "path")));
    installation->config_text = g_strdup(json_string_value(json_object_get(configuration, "text")));
    if (json_is_object(catalogue))
        installation->catalogue = json_incref(catalogue);
    return installation->host && installation->version && installation->config_text;
}

bool installation_load(Repo *repo, Installation *installation, GError **error)
{
    json_auto_t *object = NULL;

    if (installation->config_text)
        return true;
    if (!record_get(repo, repo_store(repo), installation->key, INSTALLATION_KIND, &object, error))
        return false;
    if (json_integer_value(json_object_get(object, "version")) > VERSION) {
        g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                    "%s: a newer backstay wrote it; use that to adopt it", installation->key);
        return false;
    }
    if (take(installation, object))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: not a copy of a configuration",
                installation->key);
    return false;
}
