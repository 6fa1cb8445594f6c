/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walslot.h"

#include "base/error.h"
#include "pg/walname.h"
#include "repo/config.h"
#include "repo/record.h"

#define KIND "wal-slots"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

static char *key_of(const WalSlot *slot)
{
    return g_strdup_printf("backstay/" KIND "/%" G_GUINT64_FORMAT "/%s", slot->system_id,
                           slot->slot);
}

static bool decode(const json_t *object, WalSlot *slot)
{
    const char *id = json_string_value(json_object_get(object, "system_identifier"));
    const char *name = json_string_value(json_object_get(object, "slot"));
    const char *start = json_string_value(json_object_get(object, "start_lsn"));
    guint64 system_id;

    slot->release = (int)json_integer_value(json_object_get(object, "release"));
    return id && name && start &&
           g_ascii_string_to_unsigned(id, 10, 1, UINT64_MAX, &system_id, NULL) &&
           system_id == slot->system_id && g_str_equal(name, slot->slot) &&
           lsn_parse(start, &slot->start) && slot->release > 0;
}

bool wal_slot_load(Repo *repo, WalSlot *slot, bool *ret_there, GError **error)
{
    g_autofree char *key = key_of(slot);
    g_autoptr(GError) failure = NULL;
    g_autoptr(json_t) object = NULL;
    uint64_t size;

    if (record_get(repo, repo_store(repo), key, KIND, &object, &failure)) {
        *ret_there = decode(object, slot);
        if (!*ret_there)
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: not the record of this slot", key);
        return *ret_there;
    }
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    // only a repository that is still there knows that it never was
    *ret_there = false;
    return store_stat(repo_store(repo), CONFIG_KEY, &size, error);
}

bool wal_slot_save(Repo *repo, const WalSlot *slot, GError **error)
{
    g_autofree char *key = key_of(slot);
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, slot->system_id);
    g_autoptr(json_t) object =
        json_pack("{s:s, s:s, s:i, s:s}", "system_identifier", id, "slot", slot->slot, "release",
                  slot->release, "start_lsn", lsn_text(slot->start).text);

    return record_put(repo, repo_store(repo), key, KIND, object, error);
}
