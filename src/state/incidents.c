/* SPDX-License-Identifier: Apache-2.0 */
#include "state/incidents.h"

#include "state/cataloging.h"
#include <string.h>

#define COLUMNS                                                                                    \
    "id, schedule, condition, severity, summary, run, detail, n, opened_at, last_at,"              \
    " reminded_at, resolved_at"
#define LIMIT_MAX 1000

void incident_row_clear(IncidentRow *row)
{
    g_free(row->id);
    g_free(row->schedule);
    g_free(row->condition);
    g_free(row->severity);
    g_free(row->summary);
    g_free(row->run);
    json_decref(row->detail);
    *row = (IncidentRow){ 0 };
}

static bool read_row(DbQuery *query, IncidentRow *ret_row, GError **error)
{
    IncidentRow row = { 0 };

    if (!catalog_read_json(query, 6, "the detail of an incident", &row.detail, error))
        return false;
    row.id = g_strdup(db_row_text(query, 0));
    row.schedule = g_strdup(db_row_text(query, 1));
    row.condition = g_strdup(db_row_text(query, 2));
    row.severity = g_strdup(db_row_text(query, 3));
    row.summary = g_strdup(db_row_text(query, 4));
    row.run = g_strdup(db_row_text(query, 5));
    row.n = (uint64_t)db_int(query, 7);
    row.opened_at = db_int(query, 8);
    row.last_at = db_int(query, 9);
    row.reminded_at = db_int(query, 10);
    row.resolved_at = db_int(query, 11);
    *ret_row = row;
    return true;
}

static bool read_rows(DbQuery *query, GArray **ret_rows, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(IncidentRow));
    bool found = true;

    g_array_set_clear_func(rows, (GDestroyNotify)incident_row_clear);
    while (found) {
        IncidentRow row;

        if (!db_step(query, &found, error) || (found && !read_row(query, &row, error)))
            return false;
        if (found)
            g_array_append_val(rows, row);
    }
    *ret_rows = g_steal_pointer(&rows);
    return true;
}

/* ---- opening and closing ---- */

bool catalog_incident_open(Catalog *catalog, IncidentRow *row, int64_t now, bool *ret_opened,
                           GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "INSERT INTO incidents (" COLUMNS ")"
                 " VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8, 0, 0)"
                 " ON CONFLICT (schedule, condition) WHERE resolved_at = 0 DO UPDATE SET"
                 " severity = excluded.severity, summary = excluded.summary, run = excluded.run,"
                 " detail = excluded.detail, n = incidents.n + 1, last_at = excluded.last_at"
                 " RETURNING " COLUMNS,
                 error);
    g_autofree char *id = catalog_new_id(now);
    IncidentRow stands;
    bool found;

    if (!query)
        return false;
    db_bind_text(query, 1, id);
    db_bind_text(query, 2, row->schedule ? row->schedule : "");
    db_bind_text(query, 3, row->condition);
    db_bind_text(query, 4, row->severity);
    db_bind_text(query, 5, row->summary);
    db_bind_text(query, 6, row->run);
    catalog_bind_json(query, 7, row->detail);
    db_bind_int(query, 8, now);
    if (!db_step(query, &found, error) || !read_row(query, &stands, error))
        return false;
    if (!db_run(query, NULL, error)) {
        incident_row_clear(&stands);
        return false;
    }
    incident_row_clear(row);
    *row = stands;
    *ret_opened = strcmp(stands.id, id) == 0;
    return true;
}

bool catalog_incident_told(Catalog *catalog, const char *id, int64_t now, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "UPDATE incidents SET reminded_at = $2 WHERE id = $1 AND reminded_at = 0", error);

    if (!query)
        return false;
    db_bind_text(query, 1, id);
    db_bind_int(query, 2, now);
    return db_run(query, NULL, error);
}

bool catalog_incident_resolve(Catalog *catalog, const char *schedule, const char *condition,
                              int64_t now, IncidentRow *ret_row, bool *ret_resolved, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "UPDATE incidents SET resolved_at = $3 WHERE schedule = $1 AND condition = $2"
                 " AND resolved_at = 0 RETURNING " COLUMNS,
                 error);
    g_autoptr(GArray) rows = NULL;

    if (!query)
        return false;
    db_bind_text(query, 1, schedule ? schedule : "");
    db_bind_text(query, 2, condition);
    db_bind_int(query, 3, now);
    if (!read_rows(query, &rows, error))
        return false;
    *ret_resolved = rows->len == 1;
    *ret_row = (IncidentRow){ 0 };
    if (rows->len == 1) {
        *ret_row = g_array_index(rows, IncidentRow, 0);
        g_array_index(rows, IncidentRow, 0) = (IncidentRow){ 0 };
    }
    return true;
}

bool catalog_incidents_remind(Catalog *catalog, int64_t before, int64_t now, GArray **ret_rows,
                              GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "UPDATE incidents SET reminded_at = $2 WHERE resolved_at = 0 AND reminded_at < $1"
                 " AND reminded_at <> 0 AND schedule >= '' RETURNING " COLUMNS,
                 error);

    if (!query)
        return false;
    db_bind_int(query, 1, before);
    db_bind_int(query, 2, now);
    return read_rows(query, ret_rows, error);
}

/* ---- lists ---- */

bool catalog_incidents_open(Catalog *catalog, GArray **ret_rows, GError **error)
{
    g_autoptr(DbQuery) query = db_query(catalog->db,
                                        "SELECT " COLUMNS " FROM incidents WHERE resolved_at = 0"
                                        " AND schedule >= '' ORDER BY schedule, condition",
                                        error);

    return query && read_rows(query, ret_rows, error);
}

bool catalog_incidents(Catalog *catalog, const char *schedule, const char *before, unsigned limit,
                       GArray **ret_rows, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 schedule ? "SELECT " COLUMNS " FROM incidents WHERE id < $1 AND schedule = $3"
                            " ORDER BY id DESC LIMIT $2"
                          : "SELECT " COLUMNS " FROM incidents WHERE id < $1"
                            " ORDER BY id DESC LIMIT $2",
                 error);

    if (!query)
        return false;
    db_bind_text(query, 1, before ? before : "g"); // after all hex digits
    db_bind_int(query, 2, CLAMP(limit, 1, LIMIT_MAX));
    if (schedule)
        db_bind_text(query, 3, schedule);
    return read_rows(query, ret_rows, error);
}
