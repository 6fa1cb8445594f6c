/* SPDX-License-Identifier: Apache-2.0 */
#include "state/db.h"

#include "base/error.h"
#include "state/dbdriver.h"
#include <errno.h>
#include <sys/stat.h>

/* A list that can be asked for in many ways would fill the memory with statements. */
#define KEPT_MAX 96

static void destroy_query(gpointer data)
{
    DbQuery *query = data;

    g_free(query->sql);
    query->db->ops->query_free(query);
}

void db_init(Db *db)
{
    db->queries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, destroy_query);
}

bool db_open(const char *url, const Secret *password, DbFlags flags, DbSetup setup, Db **ret_db,
             GError **error)
{
    if (g_str_has_prefix(url, "postgresql://") || g_str_has_prefix(url, "postgres://"))
        return postgres_open(url, password, ret_db, error);
    if (g_str_has_prefix(url, "sqlite:"))
        url += strlen("sqlite:");
    if (g_path_is_absolute(url))
        return sqlite_open(url, flags, setup, ret_db, error);
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "not a catalogue; write sqlite:/path/to/file or postgresql://user@host/database");
    return false;
}

void db_free(Db *db)
{
    if (!db)
        return;
    g_clear_pointer(&db->queries, g_hash_table_unref);
    g_free(db->name);
    g_free(db->file);
    db->ops->free(db);
}

const char *db_name(const Db *db)
{
    return db->name;
}

const char *db_file(const Db *db)
{
    return db->file;
}

bool db_check_place(const Db *db, GError **error)
{
    struct stat st;

    if (!db->file)
        return true;
    if (stat(db->file, &st) != 0) {
        bs_error_errno(error, errno,
                       "catalogue %s was removed while it is in use, and what is noted now is lost "
                       "with the daemon's end; bring the file back and restart the daemon",
                       db->file);
        return false;
    }
    if (st.st_dev == db->dev && st.st_ino == db->ino)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "catalogue %s is another file than the one in use, and what is noted now is lost "
                "with the daemon's end; restart the daemon",
                db->file);
    return false;
}

void db_rest(Db *db)
{
    if (db->ops->rest)
        db->ops->rest(db);
}

bool db_begin(Db *db, const char *lock, GError **error)
{
    return db->ops->begin(db, lock, error);
}

bool db_commit(Db *db, GError **error)
{
    return db->ops->commit(db, error);
}

void db_rollback(Db *db)
{
    db->ops->rollback(db);
}

bool db_exec(Db *db, const char *sql, GError **error)
{
    return db->ops->exec(db, sql, error);
}

DbQuery *db_query(Db *db, const char *sql, GError **error)
{
    DbQuery *query = g_hash_table_lookup(db->queries, sql);
    bool keep = !query && g_hash_table_size(db->queries) < KEPT_MAX;

    if (query && !query->used) {
        query->used = true;
        return query;
    }
    query = db->ops->prepare(db, sql, error);
    if (!query)
        return NULL;
    query->db = db;
    query->sql = g_strdup(sql);
    query->kept = keep;
    query->used = true;
    if (keep)
        g_hash_table_insert(db->queries, query->sql, query);
    return query;
}

void db_bind_text(DbQuery *query, unsigned n, const char *text)
{
    query->db->ops->bind_text(query, n, text);
}

void db_bind_int(DbQuery *query, unsigned n, int64_t value)
{
    query->db->ops->bind_int(query, n, value);
}

bool db_step(DbQuery *query, bool *ret_row, GError **error)
{
    return query->db->ops->step(query, ret_row, error);
}

bool db_run(DbQuery *query, int64_t *ret_changed, GError **error)
{
    bool row = true;

    while (row)
        if (!db_step(query, &row, error))
            return false;
    if (ret_changed)
        *ret_changed = query->db->ops->changed(query);
    return true;
}

const char *db_row_text(DbQuery *query, unsigned column)
{
    return query->db->ops->text(query, column);
}

int64_t db_int(DbQuery *query, unsigned column)
{
    return query->db->ops->integer(query, column);
}

void db_query_free(DbQuery *query)
{
    if (!query)
        return;
    query->used = false;
    query->db->ops->reset(query);
    if (!query->kept)
        destroy_query(query);
}
