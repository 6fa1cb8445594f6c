/* SPDX-License-Identifier: Apache-2.0 */
#include "state/schedules.h"

#include "base/clock.h"
#include "base/error.h"
#include "state/cataloging.h"

#define COLUMNS "id, name, definition, enabled, paused_until, created_at, updated_at, version"

/* ---- rows ---- */

void schedule_row_clear(ScheduleRow *row)
{
    g_free(row->id);
    g_free(row->name);
    json_decref(row->definition);
    *row = (ScheduleRow){ 0 };
}

static bool read_row(DbQuery *query, ScheduleRow *ret_row, GError **error)
{
    ScheduleRow row = { 0 };

    if (!catalog_read_json(query, 2, "the definition of a schedule", &row.definition, error))
        return false;
    row.id = g_strdup(db_row_text(query, 0));
    row.name = g_strdup(db_row_text(query, 1));
    row.enabled = db_int(query, 3) != 0;
    row.paused_until = db_int(query, 4);
    row.created_at = db_int(query, 5);
    row.updated_at = db_int(query, 6);
    row.version = (unsigned)db_int(query, 7);
    *ret_row = row;
    return true;
}

bool catalog_schedules(Catalog *catalog, GArray **ret_rows, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(ScheduleRow));
    g_autoptr(DbQuery) query = db_query(catalog->db,
                                        "SELECT " COLUMNS " FROM backup_schedules"
                                        " WHERE origin = 'api' ORDER BY name",
                                        error);

    g_array_set_clear_func(rows, (GDestroyNotify)schedule_row_clear);
    while (query) {
        ScheduleRow row;
        bool found;

        if (!db_step(query, &found, error))
            return false;
        if (!found) {
            *ret_rows = g_steal_pointer(&rows);
            return true;
        }
        if (!read_row(query, &row, error))
            return false;
        g_array_append_val(rows, row);
    }
    return false;
}

bool catalog_schedule_get(Catalog *catalog, const char *id, ScheduleRow *ret_row, GError **error)
{
    g_autoptr(DbQuery) query = db_query(catalog->db,
                                        "SELECT " COLUMNS " FROM backup_schedules"
                                        " WHERE id = $1 AND origin = 'api'",
                                        error);
    bool found;

    if (!query)
        return false;
    db_bind_text(query, 1, id);
    if (!db_step(query, &found, error))
        return false;
    if (found)
        return read_row(query, ret_row, error);
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no schedule %s", id);
    return false;
}

/* ---- changes ---- */

/* Nothing was changed: it is another version by now, or gone. */
static bool explain(Catalog *catalog, const char *id, GError **error)
{
    g_auto(ScheduleRow) now = { 0 };

    if (catalog_schedule_get(catalog, id, &now, error))
        g_set_error(error, BS_ERROR, BS_ERROR_STALE,
                    "schedule %s was changed meanwhile, it has version %u; read it again", now.name,
                    now.version);
    return false;
}

static bool exists(const ScheduleRow *row, GError *failure, GError **error)
{
    g_autoptr(GError) owned = failure;

    if (!g_error_matches(owned, BS_ERROR, BS_ERROR_EXISTS)) {
        g_propagate_error(error, g_steal_pointer(&owned));
        return false;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_EXISTS, "there is a schedule of the name %s already",
                row->name);
    return false;
}

static bool insert(Catalog *catalog, ScheduleRow *row, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "INSERT INTO backup_schedules (" COLUMNS ", origin, last_due)"
                 " VALUES ($1, $2, $3, $4, $5, $6, $6, 1, 'api', 0)",
                 error);
    int64_t now = clock_now_ms();
    GError *failure = NULL;

    if (!query)
        return false;
    if (!row->id)
        row->id = catalog_new_id(now);
    db_bind_text(query, 1, row->id);
    db_bind_text(query, 2, row->name);
    catalog_bind_json(query, 3, row->definition);
    db_bind_int(query, 4, row->enabled);
    db_bind_int(query, 5, row->paused_until);
    db_bind_int(query, 6, now);
    if (!db_run(query, NULL, &failure))
        return exists(row, failure, error);
    row->created_at = row->updated_at = now;
    row->version = 1;
    return true;
}

static bool update(Catalog *catalog, ScheduleRow *row, unsigned expected_version, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "UPDATE backup_schedules SET name = $3, definition = $4, enabled = $5,"
                 " paused_until = $6, updated_at = $7, version = version + 1"
                 " WHERE id = $1 AND version = $2 AND origin = 'api' RETURNING created_at",
                 error);
    int64_t now = clock_now_ms();
    GError *failure = NULL;
    bool found;

    if (!query)
        return false;
    db_bind_text(query, 1, row->id);
    db_bind_int(query, 2, expected_version);
    db_bind_text(query, 3, row->name);
    catalog_bind_json(query, 4, row->definition);
    db_bind_int(query, 5, row->enabled);
    db_bind_int(query, 6, row->paused_until);
    db_bind_int(query, 7, now);
    if (!db_step(query, &found, &failure))
        return exists(row, failure, error);
    if (!found)
        return explain(catalog, row->id, error);
    row->created_at = db_int(query, 0);
    row->updated_at = now;
    row->version = expected_version + 1;
    return db_run(query, NULL, error);
}

bool catalog_schedule_put(Catalog *catalog, ScheduleRow *row, unsigned expected_version,
                          GError **error)
{
    g_return_val_if_fail(row->name && row->definition, false);
    return expected_version == 0 ? insert(catalog, row, error)
                                 : update(catalog, row, expected_version, error);
}

static bool delete_row(Catalog *catalog, const char *id, unsigned expected_version,
                       int64_t *ret_deleted, GError **error)
{
    g_autoptr(DbQuery) query = db_query(catalog->db,
                                        "DELETE FROM backup_schedules WHERE id = $1 AND origin = "
                                        "'api' AND version BETWEEN $2 AND $3",
                                        error);

    if (!query)
        return false;
    db_bind_text(query, 1, id);
    db_bind_int(query, 2, expected_version);
    db_bind_int(query, 3, expected_version ? expected_version : G_MAXUINT32);
    return db_run(query, ret_deleted, error);
}

bool catalog_schedule_delete(Catalog *catalog, const char *id, unsigned expected_version,
                             GError **error)
{
    int64_t deleted;

    if (!db_begin(catalog->db, NULL, error))
        return false;
    if (!delete_row(catalog, id, expected_version, &deleted, error) ||
        (deleted && (!catalog_run(catalog, NULL, error,
                                  "DELETE FROM backup_totals WHERE schedule = $1", id, NULL) ||
                     !catalog_run(catalog, NULL, error,
                                  "DELETE FROM backup_durations WHERE schedule = $1", id, NULL)))) {
        db_rollback(catalog->db);
        return false;
    }
    return db_commit(catalog->db, error) && (deleted || explain(catalog, id, error));
}

/* ---- what is remembered of all ---- */

static bool put(Catalog *catalog, const char *sql, const char *id, bool from_file, int64_t value,
                GError **error)
{
    g_autoptr(DbQuery) query = db_query(catalog->db, sql, error);
    int64_t changed;

    if (!query)
        return false;
    db_bind_text(query, 1, id);
    db_bind_int(query, 2, value);
    if (from_file)
        db_bind_int(query, 3, clock_now_ms());
    if (!db_run(query, &changed, error))
        return false;
    if (changed == 1)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no schedule %s", id);
    return false;
}

#define INSERT_FILE                                                                                \
    "INSERT INTO backup_schedules (" COLUMNS ", origin, last_due)"                                 \
    " VALUES ($1, $1, '{}', 1, "

bool catalog_pause_put(Catalog *catalog, const char *id, bool from_file, int64_t paused_until,
                       GError **error)
{
    return put(catalog,
               from_file ? INSERT_FILE "$2, $3, $3, 1, 'file', 0) ON CONFLICT (id) DO UPDATE"
                                       " SET paused_until = excluded.paused_until,"
                                       " updated_at = excluded.updated_at"
                         : "UPDATE backup_schedules SET paused_until = $2, version = version + 1"
                           " WHERE id = $1 AND origin = 'api'",
               id, from_file, paused_until, error);
}

bool catalog_due_put(Catalog *catalog, const char *id, bool from_file, int64_t due_at,
                     GError **error)
{
    return put(catalog,
               from_file ? INSERT_FILE "0, $3, $3, 1, 'file', $2) ON CONFLICT (id) DO UPDATE"
                                       " SET last_due = excluded.last_due"
                         : "UPDATE backup_schedules SET last_due = $2"
                           " WHERE id = $1 AND origin = 'api'",
               id, from_file, due_at, error);
}

static bool get(Catalog *catalog, const char *sql, const char *id, int64_t *ret_value,
                GError **error)
{
    g_autoptr(DbQuery) query = db_query(catalog->db, sql, error);
    bool found;

    if (!query)
        return false;
    db_bind_text(query, 1, id);
    if (!db_step(query, &found, error))
        return false;
    *ret_value = found ? db_int(query, 0) : 0;
    return true;
}

bool catalog_pause_get(Catalog *catalog, const char *id, int64_t *ret_paused_until, GError **error)
{
    return get(catalog, "SELECT paused_until FROM backup_schedules WHERE id = $1", id,
               ret_paused_until, error);
}

bool catalog_due_get(Catalog *catalog, const char *id, int64_t *ret_due_at, GError **error)
{
    return get(catalog, "SELECT last_due FROM backup_schedules WHERE id = $1", id, ret_due_at,
               error);
}

/* ---- missed ---- */

bool catalog_missed_add(Catalog *catalog, const char *id, int64_t until, unsigned n, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "UPDATE backup_schedules SET missed = missed + $3, missed_until = $2"
                 " WHERE id = $1 AND missed_until < $2",
                 error);

    if (!query)
        return false;
    db_bind_text(query, 1, id);
    db_bind_int(query, 2, until);
    db_bind_int(query, 3, n);
    return db_run(query, NULL, error);
}

bool catalog_missed_get(Catalog *catalog, const char *id, int64_t *ret_n, GError **error)
{
    return get(catalog, "SELECT missed FROM backup_schedules WHERE id = $1", id, ret_n, error);
}
