/* SPDX-License-Identifier: Apache-2.0 */
#include "state/runrow.h"

#include "base/clock.h"

#include <string.h>

void run_row_clear(RunRow *row)
{
    g_free(row->id);
    g_free(row->kind);
    g_free(row->schedule);
    g_free(row->schedule_name);
    g_free(row->repository);
    g_free(row->node);
    g_free(row->stage);
    g_free(row->error);
    g_free(row->user);
    json_decref(row->detail);
    *row = (RunRow){ 0 };
}

char *run_id_new(void)
{
    return catalog_new_id(clock_now_ms());
}

bool run_id_is_valid(const char *text)
{
    return strlen(text) == RUN_ID_LEN && strspn(text, "0123456789abcdef") == RUN_ID_LEN;
}

int64_t run_id_time(const char *id)
{
    g_autofree char *digits = g_strndup(id, 12);

    return g_ascii_strtoll(digits, NULL, 16);
}

/* SQL has no numbers without a sign. */
static int64_t signed_of(uint64_t value)
{
    return (int64_t)MIN(value, (uint64_t)INT64_MAX);
}

void run_row_bind(DbQuery *query, const RunRow *row)
{
    db_bind_text(query, 1, row->id);
    db_bind_text(query, 2, row->kind);
    db_bind_text(query, 3, row->schedule);
    db_bind_text(query, 4, row->schedule_name);
    db_bind_text(query, 5, row->repository);
    db_bind_text(query, 6, run_state_name(row->state));
    db_bind_text(query, 7, run_trigger_name(row->trigger));
    db_bind_int(query, 8, row->due_at);
    db_bind_int(query, 9, row->created_at);
    db_bind_int(query, 10, row->started_at);
    db_bind_int(query, 11, row->ended_at);
    db_bind_text(query, 12, row->node);
    db_bind_int(query, 13, row->lease_until);
    db_bind_text(query, 14, row->stage);
    db_bind_int(query, 15, row->exit_code);
    db_bind_text(query, 16, row->error);
    db_bind_int(query, 17, signed_of(row->source_bytes));
    db_bind_int(query, 18, signed_of(row->added_bytes));
    db_bind_int(query, 19, signed_of(row->stored_bytes));
    db_bind_int(query, 20, signed_of(row->files));
    catalog_bind_json(query, 21, row->detail);
    db_bind_int(query, 22, row->attempt);
    db_bind_text(query, 23, row->user);
}

/* The words and the object, which could be wrong. */
static bool read_checked(DbQuery *query, RunRow *row, GError **error)
{
    const char *state = db_row_text(query, 5), *trigger = db_row_text(query, 6);

    return run_state_parse(state ? state : "", &row->state, error) &&
           run_trigger_parse(trigger ? trigger : "", &row->trigger, error) &&
           catalog_read_json(query, 20, "what is kept of a run", &row->detail, error);
}

bool run_row_read(DbQuery *query, RunRow *ret_row, GError **error)
{
    g_auto(RunRow) row = { 0 };

    if (!read_checked(query, &row, error))
        return false;
    row.id = g_strdup(db_row_text(query, 0));
    row.kind = g_strdup(db_row_text(query, 1));
    row.schedule = g_strdup(db_row_text(query, 2));
    row.schedule_name = g_strdup(db_row_text(query, 3));
    row.repository = g_strdup(db_row_text(query, 4));
    row.due_at = db_int(query, 7);
    row.created_at = db_int(query, 8);
    row.started_at = db_int(query, 9);
    row.ended_at = db_int(query, 10);
    row.node = g_strdup(db_row_text(query, 11));
    row.lease_until = db_int(query, 12);
    row.stage = g_strdup(db_row_text(query, 13));
    row.exit_code = (int)db_int(query, 14);
    row.error = g_strdup(db_row_text(query, 15));
    row.source_bytes = (uint64_t)db_int(query, 16);
    row.added_bytes = (uint64_t)db_int(query, 17);
    row.stored_bytes = (uint64_t)db_int(query, 18);
    row.files = (uint64_t)db_int(query, 19);
    row.attempt = (int)db_int(query, 21);
    row.user = g_strdup(db_row_text(query, 22));
    *ret_row = row;
    row = (RunRow){ 0 };
    return true;
}

GArray *run_rows_new(void)
{
    GArray *rows = g_array_new(FALSE, TRUE, sizeof(RunRow));

    g_array_set_clear_func(rows, (GDestroyNotify)run_row_clear);
    return rows;
}

bool run_rows_read(DbQuery *query, GArray *rows, GError **error)
{
    for (;;) {
        RunRow row;
        bool found;

        if (!db_step(query, &found, error))
            return false;
        if (!found)
            return true;
        if (!run_row_read(query, &row, error))
            return false;
        g_array_append_val(rows, row);
    }
}

const char *run_row_schedule(const RunRow *row)
{
    const char *colon =
        row->schedule && strcmp(row->kind, "sweep") == 0 ? strchr(row->schedule, ':') : NULL;

    return colon ? colon + 1 : row->schedule;
}
