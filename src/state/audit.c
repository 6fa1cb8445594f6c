/* SPDX-License-Identifier: Apache-2.0 */
#include "state/audit.h"

#include "base/clock.h"
#include "base/error.h"
#include "codec/hash.h"
#include "state/cataloging.h"
#include <string.h>

#define COLUMNS   "seq, at, user_name, action, line, hash"
#define LIMIT_MAX 1000

void audit_row_clear(AuditRow *row)
{
    g_free(row->user);
    g_free(row->action);
    g_free(row->hash);
    json_decref(row->detail);
    *row = (AuditRow){ 0 };
}

static IdText chain(const char *previous, const char *line)
{
    g_autoptr(Hash) hash = hash_new();
    Id id;

    hash_update(hash, previous, strlen(previous));
    hash_update(hash, "\n", 1);
    hash_update(hash, line, strlen(line));
    hash_final(hash, &id);
    return id_hex(&id);
}

/* ---- adding ---- */

/* The number and hash of the last line; 0 and "": none. */
static bool read_head(Catalog *catalog, int64_t *ret_seq, char **ret_hash, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db, "SELECT seq, hash FROM audit_head WHERE one = 1", error);
    bool found;

    if (!query || !db_step(query, &found, error))
        return false;
    *ret_seq = found ? db_int(query, 0) : 0;
    *ret_hash = g_strdup(found ? db_row_text(query, 1) : "");
    return true;
}

static bool write_head(Catalog *catalog, int64_t seq, const char *hash, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db,
                 "INSERT INTO audit_head (one, seq, hash) VALUES (1, $1, $2) ON CONFLICT (one)"
                 " DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
                 error);

    if (!query)
        return false;
    db_bind_int(query, 1, seq);
    db_bind_text(query, 2, hash);
    return db_run(query, NULL, error);
}

static bool write_line(Catalog *catalog, const json_t *line, const char *text, const char *hash,
                       GError **error)
{
    g_autoptr(DbQuery) query = db_query(
        catalog->db, "INSERT INTO audit (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6)", error);

    if (!query)
        return false;
    db_bind_int(query, 1, json_integer_value(json_object_get(line, "seq")));
    db_bind_int(query, 2, json_integer_value(json_object_get(line, "at")));
    db_bind_text(query, 3, json_string_value(json_object_get(line, "user")));
    db_bind_text(query, 4, json_string_value(json_object_get(line, "action")));
    db_bind_text(query, 5, text);
    db_bind_text(query, 6, hash);
    return db_run(query, NULL, error);
}

static bool append(Catalog *catalog, json_t *line, GError **error)
{
    g_autofree char *previous = NULL, *text = NULL;
    IdText hash;
    int64_t seq;

    if (!read_head(catalog, &seq, &previous, error))
        return false;
    json_object_set_new(line, "seq", json_integer(++seq));
    text = catalog_json_text(line);
    hash = chain(previous, text);
    return write_line(catalog, line, text, hash.text, error) &&
           write_head(catalog, seq, hash.text, error);
}

bool catalog_audit(Catalog *catalog, const char *user, const char *action, const json_t *detail,
                   GError **error)
{
    g_autoptr(json_t) line = json_pack("{s:s, s:s, s:O?, s:I}", "user", user, "action", action,
                                       "detail", detail, "at", (json_int_t)clock_now_ms());

    if (!line) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "an audit line must be UTF-8");
        return false;
    }
    if (!db_begin(catalog->db, "audit", error))
        return false;
    if (append(catalog, line, error))
        return db_commit(catalog->db, error);
    db_rollback(catalog->db);
    return false;
}

/* ---- reading ---- */

static bool read_row(DbQuery *query, AuditRow *ret_row, GError **error)
{
    g_autoptr(json_t) line = NULL;
    AuditRow row = { 0 };

    if (!catalog_read_json(query, 4, "an audit line", &line, error))
        return false;
    if (json_is_object(json_object_get(line, "detail")))
        row.detail = json_incref(json_object_get(line, "detail"));
    row.seq = db_int(query, 0);
    row.at = db_int(query, 1);
    row.user = g_strdup(db_row_text(query, 2));
    row.action = g_strdup(db_row_text(query, 3));
    row.hash = g_strdup(db_row_text(query, 5));
    *ret_row = row;
    return true;
}

static const char *list_sql(const AuditQuery *query)
{
    if (query->user && query->action)
        return "SELECT " COLUMNS " FROM audit WHERE user_name = $3 AND action = $4 AND seq < $1"
               " ORDER BY seq DESC LIMIT $2";
    if (query->user)
        return "SELECT " COLUMNS " FROM audit WHERE user_name = $3 AND seq < $1"
               " ORDER BY seq DESC LIMIT $2";
    if (query->action)
        return "SELECT " COLUMNS " FROM audit WHERE action = $3 AND seq < $1"
               " ORDER BY seq DESC LIMIT $2";
    return "SELECT " COLUMNS " FROM audit WHERE seq < $1 ORDER BY seq DESC LIMIT $2";
}

bool catalog_audit_list(Catalog *catalog, const AuditQuery *query, GArray **ret_rows,
                        GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(AuditRow));
    g_autoptr(DbQuery) list = db_query(catalog->db, list_sql(query), error);
    bool found = true;

    g_array_set_clear_func(rows, (GDestroyNotify)audit_row_clear);
    if (!list)
        return false;
    db_bind_int(list, 1, query->before ? (int64_t)MIN(query->before, INT64_MAX) : INT64_MAX);
    db_bind_int(list, 2, CLAMP(query->limit, 1, LIMIT_MAX));
    if (query->user || query->action)
        db_bind_text(list, 3, query->user ? query->user : query->action);
    if (query->user && query->action)
        db_bind_text(list, 4, query->action);
    while (found) {
        AuditRow row;

        if (!db_step(list, &found, error) || (found && !read_row(list, &row, error)))
            return false;
        if (found)
            g_array_append_val(rows, row);
    }
    *ret_rows = g_steal_pointer(&rows);
    return true;
}

/* ---- proving ---- */

/* The columns that are searched say what the line says. */
static bool columns_agree(DbQuery *query)
{
    g_autoptr(json_t) line = json_loads(db_row_text(query, 4), JSON_REJECT_DUPLICATES, NULL);

    return line && json_integer_value(json_object_get(line, "seq")) == db_int(query, 0) &&
           json_integer_value(json_object_get(line, "at")) == db_int(query, 1) &&
           g_strcmp0(json_string_value(json_object_get(line, "user")), db_row_text(query, 2)) ==
               0 &&
           g_strcmp0(json_string_value(json_object_get(line, "action")), db_row_text(query, 3)) ==
               0;
}

static bool set_broken(int64_t seq, const char *how, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "audit line %" G_GINT64_FORMAT " %s; the lines before it are as they were written",
                seq, how);
    return false;
}

static bool verify_line(DbQuery *query, int64_t seq, IdText *hash, GError **error)
{
    const char *stored = db_row_text(query, 5);

    if (db_int(query, 0) != seq)
        return set_broken(seq, "is missing", error);
    *hash = chain(hash->text, db_row_text(query, 4));
    if (g_strcmp0(hash->text, stored) != 0 || !columns_agree(query))
        return set_broken(seq, "was changed", error);
    return true;
}

bool catalog_audit_verify(Catalog *catalog, int64_t *ret_n, char **ret_head, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(catalog->db, "SELECT " COLUMNS " FROM audit ORDER BY seq", error);
    g_autofree char *head = NULL;
    IdText hash = { "" };
    int64_t seq = 0, last;
    bool found = true;

    // the head first: lines that are added meanwhile lie behind it
    if (!query || !read_head(catalog, &last, &head, error))
        return false;
    while (seq < last) {
        if (!db_step(query, &found, error))
            return false;
        seq++;
        if (!found)
            return set_broken(seq, "is missing", error);
        if (!verify_line(query, seq, &hash, error))
            return false;
    }
    if (strcmp(hash.text, head) != 0)
        return set_broken(seq, "is not the one that was written last", error);
    *ret_n = seq;
    *ret_head = g_steal_pointer(&head);
    return true;
}
