/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/walfloor.h"

#include "base/error.h"
#include "repo/record.h"

#define KIND "wal-floor"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

typedef struct {
    Id id;
    uint64_t system_id, lsn;
} Floor;

/* As texts, for they need more bits than the numbers of many JSON readers have. */
static bool parse_number(const json_t *object, const char *field, uint64_t *ret)
{
    const char *text = json_string_value(json_object_get(object, field));
    guint64 number;

    if (!text || !g_ascii_string_to_unsigned(text, 10, 1, UINT64_MAX, &number, NULL))
        return false;
    *ret = number;
    return true;
}

static bool load(Repo *repo, const Id *id, Floor *ret_floor, GError **error)
{
    g_autoptr(json_t) object = NULL;
    Floor floor = { .id = *id };

    if (!record_load(repo, KIND, id, &object, error))
        return false;
    if (!parse_number(object, "system_identifier", &floor.system_id) ||
        !parse_number(object, "lsn", &floor.lsn)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: not the floor of a cluster's WAL",
                    record_key(KIND, id).text);
        return false;
    }
    *ret_floor = floor;
    return true;
}

static bool note(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    Id id;

    if (record_parse_key(object->key, &id))
        g_array_append_val((GArray *)user, id);
    return true;
}

/* Of Floor: those of the cluster. */
static bool load_all(Repo *repo, uint64_t system_id, GArray **ret_floors, GError **error)
{
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(Id));
    g_autoptr(GArray) floors = g_array_new(FALSE, FALSE, sizeof(Floor));

    if (!store_list(repo_store(repo), "backstay/" KIND "/", note, ids, error))
        return false;
    for (guint i = 0; i < ids->len; i++) {
        Floor floor;

        if (!load(repo, &g_array_index(ids, Id, i), &floor, error))
            return false;
        if (floor.system_id == system_id)
            g_array_append_val(floors, floor);
    }
    *ret_floors = g_steal_pointer(&floors);
    return true;
}

static uint64_t highest(const GArray *floors)
{
    uint64_t lsn = 0;

    for (guint i = 0; i < floors->len; i++)
        lsn = MAX(lsn, g_array_index(floors, Floor, i).lsn);
    return lsn;
}

bool wal_floor_load(Repo *repo, uint64_t system_id, uint64_t *ret_lsn, GError **error)
{
    g_autoptr(GArray) floors = NULL;

    if (!load_all(repo, system_id, &floors, error))
        return false;
    *ret_lsn = highest(floors);
    return true;
}

static bool save(Repo *repo, uint64_t system_id, uint64_t lsn, GError **error)
{
    g_autofree char *id_text = g_strdup_printf("%" G_GUINT64_FORMAT, system_id);
    g_autofree char *lsn_text = g_strdup_printf("%" G_GUINT64_FORMAT, lsn);
    g_autoptr(json_t) object =
        json_pack("{s:i, s:s, s:s}", "version", 1, "system_identifier", id_text, "lsn", lsn_text);
    Id id;

    return record_save(repo, KIND, object, &id, error);
}

bool wal_floor_raise(Repo *repo, uint64_t system_id, uint64_t lsn, GError **error)
{
    g_autoptr(GArray) older = NULL;

    if (!load_all(repo, system_id, &older, error))
        return false;
    if (highest(older) >= lsn)
        return true;
    if (!save(repo, system_id, lsn, error))
        return false;
    for (guint i = 0; i < older->len; i++)
        if (!record_remove(repo, KIND, &g_array_index(older, Floor, i).id, error))
            return false;
    return true;
}
