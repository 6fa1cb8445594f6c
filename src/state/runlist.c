/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "state/runrow.h"
#include <string.h>

/* ---- one ---- */

/* The first row that a query gives; id NULL: none. */
static bool read_one(DbQuery *query, RunRow *ret_row, GError **error)
{
    bool found;

    if (!db_step(query, &found, error))
        return false;
    if (found)
        return run_row_read(query, ret_row, error);
    *ret_row = (RunRow){ 0 };
    return true;
}

bool catalog_run_get(Catalog *catalog, const char *id, RunRow *ret_row, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db, "SELECT " RUN_COLUMNS " FROM backup_history WHERE id = $1", error);
    RunRow row;

    if (!query)
        return false;
    db_bind_text(query, 1, id);
    if (!read_one(query, &row, error))
        return false;
    if (!row.id) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no run %s", id);
        return false;
    }
    *ret_row = row;
    return true;
}

static bool newest(Catalog *catalog, const char *sql, const char *schedule, RunRow *ret_row,
                   GError **error)
{
    g_autoptr(DbQuery) query = db_query(catalog->db, sql, error);

    if (!query)
        return false;
    db_bind_text(query, 1, schedule);
    return read_one(query, ret_row, error);
}

bool catalog_last(Catalog *catalog, const char *schedule, RunRow *ret_last,
                  RunRow *ret_last_success, GError **error)
{
    g_auto(RunRow) last = { 0 };

    if (!newest(catalog,
                "SELECT " RUN_COLUMNS " FROM backup_history"
                " WHERE schedule = $1 AND kind = 'backup' AND state <> 'deleted'"
                " ORDER BY id DESC LIMIT 1",
                schedule, &last, error) ||
        !newest(catalog,
                "SELECT " RUN_COLUMNS " FROM backup_history"
                " WHERE schedule = $1 AND state = 'succeeded' AND kind = 'backup'"
                " ORDER BY id DESC LIMIT 1",
                schedule, ret_last_success, error))
        return false;
    *ret_last = last;
    last = (RunRow){ 0 };
    return true;
}

/* ---- lists ---- */

/* Parameters of every part of a list. */
enum { AT_LIMIT = 1, AT_BEFORE, AT_SINCE, AT_SCHEDULE };

/* Ids begin with the time, so bounds of time are bounds of ids. */
static char *first_id_at(int64_t ms)
{
    return g_strdup_printf("%012" G_GINT64_MODIFIER "x00000000000000000000",
                           CLAMP(ms, 0, 0xffffffffffff));
}

static char *upper_bound(const RunQuery *query)
{
    g_autofree char *until = query->until ? first_id_at(query->until) : NULL;

    if (query->before && (!until || strcmp(query->before, until) < 0))
        return g_strdup(query->before);
    return until ? g_steal_pointer(&until) : g_strdup("g"); // after all hex digits
}

/* They come after the schedule, if there is one. */
static int place_of_kind(const RunQuery *query, unsigned which)
{
    return AT_SINCE + (query->schedule ? 1 : 0) + 1 + (int)which;
}

static void append_part(GString *sql, const RunQuery *query, unsigned kind, const char *state)
{
    g_string_append(sql, "SELECT " RUN_COLUMNS " FROM backup_history WHERE id < $2 AND id >= $3");
    if (query->schedule)
        g_string_append_printf(sql, " AND schedule = $%d", AT_SCHEDULE);
    if (query->kind)
        g_string_append_printf(sql, " AND kind = $%d", place_of_kind(query, kind));
    if (state)
        g_string_append_printf(sql, " AND state = '%s'", state);
    g_string_append(sql, " ORDER BY id DESC LIMIT $1");
}

static void append_union(GString *sql, const RunQuery *query, unsigned kind, const char *state,
                         unsigned n)
{
    g_string_append(sql, n == 0 ? "SELECT * FROM (" : " UNION ALL SELECT * FROM (");
    append_part(sql, query, kind, state);
    g_string_append_printf(sql, ") AS s%u", n);
}

/* One kind and state at a time is a stretch of an index; several are put together from as many. */
static char *list_sql(const RunQuery *query)
{
    const unsigned all = (1u << RUN_STATES) - 1, states = query->states & all;
    const unsigned kinds = query->kind && query->or_kind ? 2 : 1;
    const bool any = states == 0 || states == all;
    GString *sql = g_string_new(NULL);
    unsigned n = 0;

    if (any && kinds == 1) {
        append_part(sql, query, 0, NULL);
        return g_string_free(sql, FALSE);
    }
    g_string_append(sql, "SELECT * FROM (");
    for (unsigned kind = 0; kind < kinds; kind++) {
        if (any)
            append_union(sql, query, kind, NULL, n++);
        for (RunState state = 0; !any && state < RUN_STATES; state++)
            if (states & 1u << state)
                append_union(sql, query, kind, run_state_name(state), n++);
    }
    g_string_append(sql, ") AS found ORDER BY id DESC LIMIT $1");
    return g_string_free(sql, FALSE);
}

bool catalog_runs(Catalog *catalog, const RunQuery *query, GArray **ret_rows, GError **error)
{
    g_autoptr(GArray) rows = run_rows_new();
    g_autofree char *sql = list_sql(query);
    g_autofree char *before = upper_bound(query);
    g_autofree char *since = query->since ? first_id_at(query->since) : g_strdup("");
    g_autoptr(DbQuery) list = db_query(catalog->db, sql, error);

    if (!list)
        return false;
    db_bind_int(list, AT_LIMIT, CLAMP(query->limit, 1, RUN_LIMIT_MAX));
    db_bind_text(list, AT_BEFORE, before);
    db_bind_text(list, AT_SINCE, since);
    if (query->schedule)
        db_bind_text(list, AT_SCHEDULE, query->schedule);
    if (query->kind)
        db_bind_text(list, place_of_kind(query, 0), query->kind);
    if (query->kind && query->or_kind)
        db_bind_text(list, place_of_kind(query, 1), query->or_kind);
    if (!run_rows_read(list, rows, error))
        return false;
    *ret_rows = g_steal_pointer(&rows);
    return true;
}
