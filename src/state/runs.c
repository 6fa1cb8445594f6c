/* SPDX-License-Identifier: Apache-2.0 */
#include "state/runs.h"

#include "base/clock.h"
#include "base/error.h"
#include "state/runrow.h"
#include "state/totals.h"
#include <string.h>

/* ---- new ones ---- */

static void complete(RunRow *row)
{
    if (!row->created_at)
        row->created_at = clock_now_ms();
    if (!row->id)
        row->id = catalog_new_id(row->created_at);
    if (!row->kind)
        row->kind = g_strdup("backup");
    row->attempt = MAX(row->attempt, 1);
}

#define RUN_PARAMS                                                                                 \
    "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,"   \
    " $21, $22, $23"

static bool insert(Catalog *catalog, const RunRow *row, int64_t *ret_inserted, GError **error)
{
    g_autoptr(DbQuery) query = db_query(catalog->db,
                                        "INSERT INTO backup_history (" RUN_COLUMNS ") VALUES "
                                        "(" RUN_PARAMS ") ON CONFLICT DO NOTHING",
                                        error);

    if (!query)
        return false;
    run_row_bind(query, row);
    return db_run(query, ret_inserted, error);
}

/* Its own row was there already when the answer to the first try was lost. */
static bool is_mine(Catalog *catalog, const RunRow *row, bool *ret_mine, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "SELECT id FROM backup_history WHERE schedule = $1 AND due_at = $2 AND due_at <> 0"
                 " AND attempt = $3",
                 error);
    bool found;

    if (!query)
        return false;
    db_bind_text(query, 1, row->schedule);
    db_bind_int(query, 2, row->due_at);
    db_bind_int(query, 3, row->attempt);
    if (!db_step(query, &found, error))
        return false;
    *ret_mine = found && strcmp(db_row_text(query, 0), row->id) == 0;
    return true;
}

bool catalog_claim(Catalog *catalog, RunRow *row, bool *ret_won, GError **error)
{
    int64_t inserted;

    g_return_val_if_fail(row->schedule && row->due_at != 0, false);
    complete(row);
    row->state = RUN_QUEUED;
    if (!insert(catalog, row, &inserted, error))
        return false;
    if (inserted == 0)
        return is_mine(catalog, row, ret_won, error);
    *ret_won = true;
    return true;
}

static bool insert_once(Catalog *catalog, const RunRow *row, GError **error)
{
    int64_t inserted;

    if (!insert(catalog, row, &inserted, error))
        return false;
    if (inserted == 1)
        return !run_state_ended(row->state) || totals_add(catalog, row, error);
    g_set_error(error, BS_ERROR, BS_ERROR_EXISTS, "run %s is in the catalogue already", row->id);
    return false;
}

bool catalog_run_insert(Catalog *catalog, RunRow *row, GError **error)
{
    complete(row);
    if (!db_begin(catalog->db, NULL, error))
        return false;
    if (insert_once(catalog, row, error))
        return db_commit(catalog->db, error);
    db_rollback(catalog->db);
    return false;
}

/* ---- changes ---- */

static bool update(Catalog *catalog, const RunRow *row, int64_t *ret_changed, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "UPDATE backup_history SET repository = $3, state = $4, started_at = $5,"
                 " ended_at = $6, lease_until = $7, stage = $8, exit_code = $9, error = $10,"
                 " source_bytes = $11, added_bytes = $12, stored_bytes = $13, files = $14,"
                 " detail = $15 WHERE id = $1 AND node = $2 AND " RUN_ACTIVE,
                 error);

    if (!query)
        return false;
    db_bind_text(query, 1, row->id);
    db_bind_text(query, 2, row->node);
    db_bind_text(query, 3, row->repository);
    db_bind_text(query, 4, run_state_name(row->state));
    db_bind_int(query, 5, row->started_at);
    db_bind_int(query, 6, row->ended_at);
    db_bind_int(query, 7, row->lease_until);
    db_bind_text(query, 8, row->stage);
    db_bind_int(query, 9, row->exit_code);
    db_bind_text(query, 10, row->error);
    db_bind_int(query, 11, (int64_t)MIN(row->source_bytes, (uint64_t)INT64_MAX));
    db_bind_int(query, 12, (int64_t)MIN(row->added_bytes, (uint64_t)INT64_MAX));
    db_bind_int(query, 13, (int64_t)MIN(row->stored_bytes, (uint64_t)INT64_MAX));
    db_bind_int(query, 14, (int64_t)MIN(row->files, (uint64_t)INT64_MAX));
    catalog_bind_json(query, 15, row->detail);
    return db_run(query, ret_changed, error);
}

/* Why nothing was changed. */
static bool explain(Catalog *catalog, const RunRow *row, GError **error)
{
    g_auto(RunRow) now = { 0 };

    if (!catalog_run_get(catalog, row->id, &now, error))
        return false;
    if (g_strcmp0(now.node, row->node) == 0 && run_state_ended(now.state) &&
        now.state == row->state && now.ended_at == row->ended_at)
        return true; // told before, and the answer was lost
    if (g_strcmp0(now.node, row->node) != 0)
        g_set_error(error, BS_ERROR, BS_ERROR_LOST, "run %s is node %s's by now, no more %s's",
                    row->id, now.node ? now.node : "nobody", row->node ? row->node : "nobody");
    else
        g_set_error(error, BS_ERROR, BS_ERROR_LOST, "run %s has ended as %s already", row->id,
                    run_state_name(now.state));
    return false;
}

bool catalog_run_update(Catalog *catalog, const RunRow *row, GError **error)
{
    int64_t changed;

    if (!db_begin(catalog->db, NULL, error))
        return false;
    if (!update(catalog, row, &changed, error) ||
        (changed == 1 && run_state_ended(row->state) && !totals_add(catalog, row, error))) {
        db_rollback(catalog->db);
        return false;
    }
    if (!db_commit(catalog->db, error))
        return false;
    return changed == 1 || explain(catalog, row, error);
}

bool catalog_run_forgotten(Catalog *catalog, const char *id, GError **error)
{
    return catalog_run(catalog, NULL, error,
                       "UPDATE backup_history SET state = 'deleted' WHERE id = $1"
                       " AND state IN ('succeeded', 'partial')",
                       id, NULL);
}

bool catalog_run_delete(Catalog *catalog, const char *id, GError **error)
{
    g_auto(RunRow) row = { 0 };
    int64_t changed;

    if (!catalog_run(catalog, &changed, error,
                     "DELETE FROM backup_history WHERE id = $1 AND NOT (" RUN_ACTIVE ")", id, NULL))
        return false;
    if (changed == 1)
        return true;
    if (catalog_run_get(catalog, id, &row, error))
        g_set_error(error, BS_ERROR, BS_ERROR_LOST, "run %s has not ended; cancel it first", id);
    return false;
}

/* ---- leases ---- */

bool catalog_renew(Catalog *catalog, const char *node, int64_t lease_until, GError **error)
{
    // the bound makes the partial index one that is searched
    g_autoptr(DbQuery) query = db_query(catalog->db,
                                        "UPDATE backup_history SET lease_until = $2"
                                        " WHERE " RUN_ACTIVE " AND lease_until >= 0 AND node = $1",
                                        error);

    if (!query)
        return false;
    db_bind_text(query, 1, node);
    db_bind_int(query, 2, lease_until);
    return db_run(query, NULL, error);
}

bool catalog_take_over(Catalog *catalog, const char *node, int64_t now, int64_t lease_until,
                       GArray **ret_rows, GError **error)
{
    g_autoptr(GArray) rows = run_rows_new();
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "UPDATE backup_history SET node = $1, lease_until = $3"
                 " WHERE " RUN_ACTIVE " AND lease_until < $2 RETURNING " RUN_COLUMNS,
                 error);

    if (!query)
        return false;
    db_bind_text(query, 1, node);
    db_bind_int(query, 2, now);
    db_bind_int(query, 3, lease_until);
    if (!run_rows_read(query, rows, error))
        return false;
    *ret_rows = g_steal_pointer(&rows);
    return true;
}
