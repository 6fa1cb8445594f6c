/* SPDX-License-Identifier: Apache-2.0 */
#include "state/portable.h"

#include "base/error.h"
#include "state/cataloging.h"
#include "state/runrow.h"
#include "state/settings.h"
#include "state/users.h"
#include <string.h>

/* Settings that are a choice of somebody; others are secrets, or of this host alone. */
static const char *const settings[] = { "web" };

bool catalog_is_empty(Catalog *catalog, bool *ret_empty, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "SELECT (SELECT count(*) FROM backup_schedules WHERE origin = 'api')"
                 " + (SELECT count(*) FROM users) + (SELECT count(*) FROM backup_history)",
                 error);
    bool row;

    if (!query || !db_step(query, &row, error))
        return false;
    *ret_empty = db_int(query, 0) == 0;
    return true;
}

/* ---- packing ---- */

static bool pack_schedules(Catalog *catalog, json_t *packed, GError **error)
{
    g_autoptr(GArray) rows = NULL;
    json_t *list = json_array();

    json_object_set_new(packed, "schedules", list);
    if (!catalog_schedules(catalog, &rows, error))
        return false;
    for (guint i = 0; i < rows->len; i++) {
        const ScheduleRow *row = &g_array_index(rows, ScheduleRow, i);

        json_array_append_new(list, json_pack("{s:s, s:s, s:O, s:b, s:I}", "id", row->id, "name",
                                              row->name, "definition", row->definition, "enabled",
                                              (int)row->enabled, "paused_until",
                                              (json_int_t)row->paused_until));
    }
    return true;
}

static bool pack_paused(Catalog *catalog, json_t *packed, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "SELECT id, paused_until FROM backup_schedules WHERE origin = 'file'"
                 " AND paused_until > 0 ORDER BY id",
                 error);
    json_t *list = json_array();
    bool found;

    json_object_set_new(packed, "paused", list);
    while (query && db_step(query, &found, error)) {
        if (!found)
            return true;
        json_array_append_new(list, json_pack("{s:s, s:I}", "id", db_row_text(query, 0),
                                              "paused_until", (json_int_t)db_int(query, 1)));
    }
    return false;
}

static bool pack_users(Catalog *catalog, json_t *packed, GError **error)
{
    g_autoptr(GArray) rows = NULL;
    json_t *list = json_array();

    json_object_set_new(packed, "users", list);
    if (!catalog_users(catalog, &rows, error))
        return false;
    for (guint i = 0; i < rows->len; i++) {
        const UserRow *row = &g_array_index(rows, UserRow, i);

        json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "name", row->name, "role",
                                              row->role, "enabled", (int)row->enabled));
    }
    return true;
}

static bool pack_settings(Catalog *catalog, json_t *packed, GError **error)
{
    json_t *all = json_object();

    json_object_set_new(packed, "settings", all);
    for (size_t i = 0; i < G_N_ELEMENTS(settings); i++) {
        g_autoptr(GError) failure = NULL;
        json_t *value = NULL;

        if (catalog_setting_get(catalog, settings[i], &value, NULL, &failure)) {
            json_object_set_new(all, settings[i], value);
        } else if (!g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
    }
    return true;
}

static json_t *pack_run(const RunRow *row)
{
    return json_pack(
        "{s:s, s:s, s:s?, s:s?, s:s?, s:s, s:s, s:I, s:I, s:I, s:I, s:i, s:s?, s:I, s:I, s:I, s:I,"
        " s:O?, s:i, s:s?}",
        "id", row->id, "kind", row->kind, "schedule", row->schedule, "schedule_name",
        row->schedule_name, "repository", row->repository, "state", run_state_name(row->state),
        "trigger", run_trigger_name(row->trigger), "due_at", (json_int_t)row->due_at, "created_at",
        (json_int_t)row->created_at, "started_at", (json_int_t)row->started_at, "ended_at",
        (json_int_t)row->ended_at, "exit_code", row->exit_code, "error", row->error, "source_bytes",
        (json_int_t)row->source_bytes, "added_bytes", (json_int_t)row->added_bytes, "stored_bytes",
        (json_int_t)row->stored_bytes, "files", (json_int_t)row->files, "detail", row->detail,
        "attempt", row->attempt, "user", row->user);
}

static bool pack_runs(Catalog *catalog, unsigned runs, json_t *packed, GError **error)
{
    const RunQuery query = { .limit = MIN(runs, RUN_LIMIT_MAX) };
    g_autoptr(GArray) rows = NULL;
    json_t *list = json_array();

    json_object_set_new(packed, "runs", list);
    if (runs == 0)
        return true;
    if (!catalog_runs(catalog, &query, &rows, error))
        return false;
    for (guint i = 0; i < rows->len; i++) {
        const RunRow *row = &g_array_index(rows, RunRow, i);

        if (run_state_ended(row->state))
            json_array_append_new(list, pack_run(row));
    }
    return true;
}

bool catalog_pack(Catalog *catalog, unsigned runs, json_t **ret_packed, GError **error)
{
    g_autoptr(json_t) packed = json_pack("{s:i}", "catalogue_version", (int)catalog_version());

    if (!pack_schedules(catalog, packed, error) || !pack_paused(catalog, packed, error) ||
        !pack_users(catalog, packed, error) || !pack_settings(catalog, packed, error) ||
        !pack_runs(catalog, runs, packed, error))
        return false;
    *ret_packed = g_steal_pointer(&packed);
    return true;
}

/* ---- unpacking ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static bool broken(const char *what, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "the copy of the catalogue is damaged: %s",
                what);
    return false;
}

/* Something of that name being there is no failure. */
static bool count_new(bool put, GError *failure, unsigned *n, GError **error)
{
    g_autoptr(GError) owned = failure;

    if (put) {
        ++*n;
        return true;
    }
    if (g_error_matches(owned, BS_ERROR, BS_ERROR_EXISTS))
        return true;
    g_propagate_error(error, g_steal_pointer(&owned));
    return false;
}

static bool unpack_schedule(Catalog *catalog, const json_t *object, unsigned *n, GError **error)
{
    g_auto(ScheduleRow) row = { .id = g_strdup(text_of(object, "id")),
                                .name = g_strdup(text_of(object, "name")),
                                .definition = json_incref(json_object_get(object, "definition")),
                                .enabled = json_is_true(json_object_get(object, "enabled")),
                                .paused_until = number_of(object, "paused_until") };
    GError *failure = NULL;
    bool put;

    if (!row.id || !row.name || !json_is_object(row.definition))
        return broken("a schedule", error);
    put = catalog_schedule_put(catalog, &row, 0, &failure);
    return count_new(put, failure, n, error);
}

static bool unpack_paused(Catalog *catalog, const json_t *object, G_GNUC_UNUSED unsigned *n,
                          GError **error)
{
    const char *id = text_of(object, "id");

    return id ? catalog_pause_put(catalog, id, true, number_of(object, "paused_until"), error)
              : broken("what is paused", error);
}

static bool unpack_user(Catalog *catalog, const json_t *object, unsigned *n, GError **error)
{
    g_auto(UserRow) row = { .name = g_strdup(text_of(object, "name")),
                            .role = g_strdup(text_of(object, "role")),
                            .enabled = json_is_true(json_object_get(object, "enabled")) };
    GError *failure = NULL;
    bool put;

    if (!row.name || !row.role || !user_role_is_valid(row.role))
        return broken("a user", error);
    put = catalog_user_put(catalog, &row, 0, &failure);
    return count_new(put, failure, n, error);
}

static bool fill_run(const json_t *object, RunRow *row, GError **error)
{
    const char *state = text_of(object, "state"), *trigger = text_of(object, "trigger");

    *row = (RunRow){ .id = g_strdup(text_of(object, "id")),
                     .kind = g_strdup(text_of(object, "kind")),
                     .schedule = g_strdup(text_of(object, "schedule")),
                     .schedule_name = g_strdup(text_of(object, "schedule_name")),
                     .repository = g_strdup(text_of(object, "repository")),
                     .due_at = number_of(object, "due_at"),
                     .created_at = number_of(object, "created_at"),
                     .started_at = number_of(object, "started_at"),
                     .ended_at = number_of(object, "ended_at"),
                     .exit_code = (int)number_of(object, "exit_code"),
                     .error = g_strdup(text_of(object, "error")),
                     .source_bytes = (uint64_t)number_of(object, "source_bytes"),
                     .added_bytes = (uint64_t)number_of(object, "added_bytes"),
                     .stored_bytes = (uint64_t)number_of(object, "stored_bytes"),
                     .files = (uint64_t)number_of(object, "files"),
                     .attempt = (int)number_of(object, "attempt"),
                     .user = g_strdup(text_of(object, "user")) };
    if (json_is_object(json_object_get(object, "detail")))
        row->detail = json_incref(json_object_get(object, "detail"));
    if (!row->id || !run_id_is_valid(row->id) || !row->kind || !state || !trigger)
        return broken("a run", error);
    return run_state_parse(state, &row->state, error) &&
           run_trigger_parse(trigger, &row->trigger, error) &&
           (run_state_ended(row->state) || broken("a run that has not ended", error));
}

static bool unpack_run(Catalog *catalog, const json_t *object, unsigned *n, GError **error)
{
    g_auto(RunRow) row = { 0 };
    GError *failure = NULL;
    bool put;

    if (!fill_run(object, &row, error))
        return false;
    put = catalog_run_insert(catalog, &row, &failure);
    return count_new(put, failure, n, error);
}

static bool unpack_settings(Catalog *catalog, const json_t *packed, GError **error)
{
    const json_t *all = json_object_get(packed, "settings");

    for (size_t i = 0; i < G_N_ELEMENTS(settings); i++) {
        const json_t *value = json_object_get(all, settings[i]);
        g_autoptr(GError) failure = NULL;

        if (!value || catalog_setting_put(catalog, settings[i], value, 0, NULL, &failure) ||
            g_error_matches(failure, BS_ERROR, BS_ERROR_STALE)) // there is one
            continue;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    return true;
}

static bool unpack_list(Catalog *catalog, const json_t *packed, const char *key,
                        bool (*unpack)(Catalog *catalog, const json_t *object, unsigned *n,
                                       GError **error),
                        unsigned *n, GError **error)
{
    const json_t *list = json_object_get(packed, key);

    if (!json_is_array(list))
        return broken(key, error);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!unpack(catalog, json_array_get(list, i), n, error))
            return false;
    return true;
}

bool catalog_unpack(Catalog *catalog, const json_t *packed, CatalogUnpacked *ret_unpacked,
                    GError **error)
{
    CatalogUnpacked new = { 0 };
    unsigned ignored = 0;

    if (number_of(packed, "catalogue_version") > catalog_version()) {
        g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                    "the copy is of a catalogue of version %d, this program knows %u; use the "
                    "newer backstay that made it",
                    (int)number_of(packed, "catalogue_version"), catalog_version());
        return false;
    }
    if (!unpack_list(catalog, packed, "schedules", unpack_schedule, &new.schedules, error) ||
        !unpack_list(catalog, packed, "paused", unpack_paused, &ignored, error) ||
        !unpack_list(catalog, packed, "users", unpack_user, &new.users, error) ||
        !unpack_settings(catalog, packed, error) ||
        !unpack_list(catalog, packed, "runs", unpack_run, &new.runs, error))
        return false;
    *ret_unpacked = new;
    return true;
}
