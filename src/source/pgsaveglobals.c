/* SPDX-License-Identifier: Apache-2.0 */
/* Roles and tablespaces, as pg_dumpall writes them. */
#include "base/error.h"
#include "pg/tools.h"
#include "source/pgfacts.h"
#include "source/pgsaving.h"
#include <string.h>

/* pg_dumpall ends with these words; a plain text has no other sign of being whole. */
static const char globals_end[] = "\n-- PostgreSQL database cluster dump complete\n--\n\n";

static bool feed_globals(void *user, const void *data, size_t len, GError **error)
{
    GString *tail = user;

    (void)error;
    g_string_append_len(tail, data, (gssize)len);
    if (tail->len > sizeof globals_end)
        g_string_erase(tail, 0, (gssize)(tail->len - sizeof globals_end));
    return true;
}

static bool finish_globals(void *user, GError **error)
{
    const GString *tail = user;

    if (g_str_has_suffix(tail->str, globals_end))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "pg_dumpall: its output ends early");
    return false;
}

static bool push_globals(PgSave *save, bool passwords, json_t *facts, GError **error)
{
    g_autoptr(PgTool) tool = pg_tool_find("pg_dumpall", save->server_version, error);
    g_autoptr(PgAccess) access = tool ? pg_access_new(save->source->url, error) : NULL;
    g_autoptr(GString) tail = g_string_new(NULL);
    PgWatcher watcher = { feed_globals, finish_globals, NULL, tail };
    g_autofree char *dbname = NULL;

    if (!access)
        return false;
    dbname = g_strdup_printf("--dbname=%s", pg_access_conninfo(access));
    const char *argv[] = { tool->path,
                           "--globals-only",
                           "--no-password",
                           dbname,
                           passwords ? NULL : "--no-role-passwords",
                           NULL };

    return pg_push_child(&save->push, argv, access, "globals.sql", &watcher, facts, error);
}

/* Passwords of roles lie in a table that only superusers may read; the rest is worth having too. */
bool pg_save_globals(PgSave *save, bool passwords, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autofree char *path = pg_push_path(&save->push, "globals.sql");
    json_t *facts = json_object();

    (void)json_object_set_new(facts, "role_passwords", json_boolean(passwords));
    if (!push_globals(save, passwords, facts, &failure)) {
        json_decref(facts);
        if (save->push.sink_failed || g_error_matches(failure, BS_ERROR, BS_ERROR_CANCELLED)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        pg_save_problem(save, path, failure);
        return true;
    }
    (void)json_object_set_new(save->manifest, "globals", facts);
    if (!passwords) {
        g_set_error(&failure, BS_ERROR, BS_ERROR_DENIED,
                    "without the passwords of roles: this user may not read pg_authid");
        pg_save_problem(save, path, failure);
    }
    return true;
}
