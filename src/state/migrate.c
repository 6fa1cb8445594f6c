/* SPDX-License-Identifier: Apache-2.0 */
#include "state/migrate.h"

#include "base/clock.h"
#include "base/error.h"

/*
 * Never changed once it is released: the next change is another row. Lists are read newest first
 * by id, so each has an index that ends with it; the partial indexes hold what is due or runs now.
 */
static const char *const steps[] = {
    // 1: schedules and runs
    "CREATE TABLE backup_schedules ("
    " id TEXT PRIMARY KEY, origin TEXT NOT NULL CHECK (origin IN ('file', 'api')),"
    " name TEXT NOT NULL, definition TEXT NOT NULL, enabled SMALLINT NOT NULL,"
    " paused_until BIGINT NOT NULL, last_due BIGINT NOT NULL, created_at BIGINT NOT NULL,"
    " updated_at BIGINT NOT NULL, version BIGINT NOT NULL);"
    "CREATE UNIQUE INDEX backup_schedules_name ON backup_schedules (name) WHERE origin = 'api';"
    "CREATE TABLE backup_history ("
    " id TEXT PRIMARY KEY, kind TEXT NOT NULL, schedule TEXT, schedule_name TEXT, repository TEXT,"
    " state TEXT NOT NULL, cause TEXT NOT NULL, due_at BIGINT NOT NULL,"
    " created_at BIGINT NOT NULL, started_at BIGINT NOT NULL, ended_at BIGINT NOT NULL,"
    " node TEXT, lease_until BIGINT NOT NULL, stage TEXT, exit_code BIGINT NOT NULL, error TEXT,"
    " source_bytes BIGINT NOT NULL, added_bytes BIGINT NOT NULL, stored_bytes BIGINT NOT NULL,"
    " files BIGINT NOT NULL, detail TEXT, attempt BIGINT NOT NULL, user_name TEXT);"
    "CREATE UNIQUE INDEX backup_history_claim ON backup_history (schedule, due_at, attempt)"
    " WHERE due_at <> 0;"
    "CREATE INDEX backup_history_active ON backup_history (lease_until)"
    " WHERE state IN ('queued', 'running');"
    "CREATE INDEX backup_history_schedule ON backup_history (schedule, id);"
    "CREATE INDEX backup_history_schedule_kind ON backup_history (schedule, kind, id);"
    "CREATE INDEX backup_history_schedule_state ON backup_history (schedule, state, id);"
    "CREATE INDEX backup_history_kind ON backup_history (kind, id);"
    "CREATE INDEX backup_history_kind_state ON backup_history (kind, state, id);"
    "CREATE INDEX backup_history_state ON backup_history (state, id);"
    "CREATE TABLE backup_totals ("
    " schedule TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, n BIGINT NOT NULL,"
    " duration_ms BIGINT NOT NULL, source_bytes BIGINT NOT NULL, added_bytes BIGINT NOT NULL,"
    " stored_bytes BIGINT NOT NULL, PRIMARY KEY (schedule, kind, state));"
    "CREATE TABLE backup_durations ("
    " schedule TEXT NOT NULL, kind TEXT NOT NULL, up_to_ms BIGINT NOT NULL, n BIGINT NOT NULL,"
    " PRIMARY KEY (schedule, kind, up_to_ms))",
    // 2: who may do what, and who did
    "CREATE TABLE backup_settings ("
    " name TEXT PRIMARY KEY, value TEXT NOT NULL, version BIGINT NOT NULL,"
    " updated_at BIGINT NOT NULL, updated_by TEXT);"
    "CREATE TABLE users ("
    " name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT, enabled SMALLINT NOT NULL,"
    " created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, seen_at BIGINT NOT NULL,"
    " version BIGINT NOT NULL);"
    "CREATE TABLE sessions ("
    " hash TEXT PRIMARY KEY, user_name TEXT NOT NULL, created_at BIGINT NOT NULL,"
    " login_at BIGINT NOT NULL, seen_at BIGINT NOT NULL, expires_at BIGINT NOT NULL,"
    " csrf_hash TEXT, address TEXT, agent TEXT);"
    "CREATE INDEX sessions_user ON sessions (user_name);"
    "CREATE INDEX sessions_expires ON sessions (expires_at);"
    "CREATE TABLE tokens ("
    " id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    " user_name TEXT NOT NULL, scope TEXT NOT NULL, created_at BIGINT NOT NULL,"
    " expires_at BIGINT NOT NULL, used_at BIGINT NOT NULL, revoked_at BIGINT NOT NULL);"
    "CREATE INDEX tokens_user ON tokens (user_name, id);"
    "CREATE TABLE login_attempts ("
    " name TEXT PRIMARY KEY, n BIGINT NOT NULL, first_at BIGINT NOT NULL, last_at BIGINT NOT NULL);"
    "CREATE INDEX login_attempts_last ON login_attempts (last_at);"
    "CREATE TABLE audit ("
    " seq BIGINT PRIMARY KEY, at BIGINT NOT NULL, user_name TEXT NOT NULL, action TEXT NOT NULL,"
    " line TEXT NOT NULL, hash TEXT NOT NULL);"
    "CREATE INDEX audit_user ON audit (user_name, seq);"
    "CREATE INDEX audit_action ON audit (action, seq);"
    "CREATE TABLE audit_head (one SMALLINT PRIMARY KEY CHECK (one = 1), seq BIGINT NOT NULL,"
    " hash TEXT NOT NULL)",
    // 3: what goes on between the daemon and others
    "CREATE TABLE incidents ("
    " id TEXT PRIMARY KEY, schedule TEXT NOT NULL, condition TEXT NOT NULL, severity TEXT NOT NULL,"
    " summary TEXT NOT NULL, run TEXT, detail TEXT, n BIGINT NOT NULL, opened_at BIGINT NOT NULL,"
    " last_at BIGINT NOT NULL, reminded_at BIGINT NOT NULL, resolved_at BIGINT NOT NULL);"
    "CREATE UNIQUE INDEX incidents_open ON incidents (schedule, condition) WHERE resolved_at = 0;"
    "CREATE INDEX incidents_schedule ON incidents (schedule, id);"
    "CREATE TABLE idempotency_keys ("
    " name TEXT PRIMARY KEY, request_hash TEXT NOT NULL, status BIGINT NOT NULL, answer TEXT,"
    " created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL);"
    "CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires_at);"
    "CREATE TABLE nodes ("
    " name TEXT PRIMARY KEY, instance TEXT NOT NULL, program TEXT NOT NULL,"
    " started_at BIGINT NOT NULL, seen_at BIGINT NOT NULL)",
    // 4: due times that got no run
    "ALTER TABLE backup_schedules ADD COLUMN missed BIGINT NOT NULL DEFAULT 0;"
    "ALTER TABLE backup_schedules ADD COLUMN missed_until BIGINT NOT NULL DEFAULT 0",
};

unsigned migrate_newest(void)
{
    return G_N_ELEMENTS(steps);
}

/* Within a transaction: nobody else is at it. */
static bool read_version(Db *db, unsigned *ret_version, GError **error)
{
    g_autoptr(DbQuery) query =
        db_query(db, "SELECT coalesce(max(version), 0) FROM catalog_version", error);
    bool row;

    if (!query || !db_step(query, &row, error))
        return false;
    *ret_version = (unsigned)CLAMP(db_int(query, 0), 0, G_MAXINT);
    return true;
}

static bool write_version(Db *db, unsigned version, GError **error)
{
    g_autoptr(DbQuery) query = db_query(
        db, "INSERT INTO catalog_version (version, applied_at, program) VALUES ($1, $2, $3)",
        error);

    if (!query)
        return false;
    db_bind_int(query, 1, version);
    db_bind_int(query, 2, clock_now().sec * 1000);
    db_bind_text(query, 3, BS_VERSION);
    return db_run(query, NULL, error);
}

/* The next step, unless another has done it meanwhile. */
static bool apply(Db *db, unsigned version, GError **error)
{
    unsigned now;

    if (!db_begin(db, "migrate", error))
        return false;
    if (!read_version(db, &now, error) ||
        (now < version &&
         (!db_exec(db, steps[version - 1], error) || !write_version(db, version, error)))) {
        g_prefix_error(error, "bringing the catalogue to version %u: ", version);
        db_rollback(db);
        return false;
    }
    return db_commit(db, error);
}

static bool version_of(Db *db, unsigned *ret_version, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (read_version(db, ret_version, &failure))
        return true;
    if (db_file(db) && failure->code == BS_ERROR_FAILED) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "%s is no catalogue of backstay (%s); name another file", db_name(db),
                    failure->message);
        return false;
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool make_version_table(Db *db, GError **error)
{
    if (!db_begin(db, "migrate", error))
        return false;
    if (db_exec(db,
                "CREATE TABLE IF NOT EXISTS catalog_version ("
                " version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL, program TEXT NOT NULL)",
                error))
        return db_commit(db, error);
    db_rollback(db);
    return false;
}

bool migrate_new(Db *db, GError **error)
{
    return make_version_table(db, error) && migrate(db, error);
}

bool migrate(Db *db, GError **error)
{
    unsigned version;

    // a server's database may be new without being ours alone
    if ((!db_file(db) && !make_version_table(db, error)) || !version_of(db, &version, error))
        return false;
    if (version > migrate_newest()) {
        g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                    "catalogue %s has version %u, this program knows %u; use the newer backstay "
                    "that made it",
                    db_name(db), version, migrate_newest());
        return false;
    }
    while (version < migrate_newest())
        if (!apply(db, ++version, error))
            return false;
    return true;
}

bool migrate_check(Db *db, GError **error)
{
    unsigned version;

    if (!version_of(db, &version, error))
        return false;
    if (version == migrate_newest())
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                "catalogue %s has version %u, this program works with %u; start its daemon first",
                db_name(db), version, migrate_newest());
    return false;
}
