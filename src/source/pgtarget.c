/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgtarget.h"
#include "base/error.h"
#include "pg/tools.h"
#include "source/pgtargeting.h"
#include <string.h>

#define LISTED_MAX 5 /* things that an error names before it only counts */

void pg_target_note(const PgTarget *target, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    if (!target->options->note)
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    target->options->note(text, target->options->user);
}

char *pg_target_list_some(const GPtrArray *names)
{
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < names->len && i < LISTED_MAX; i++)
        g_string_append_printf(out, "%s%s", i ? ", " : "", (const char *)names->pdata[i]);
    if (names->len > LISTED_MAX)
        g_string_append_printf(out, " and %u more", names->len - LISTED_MAX);
    return g_string_free(out, FALSE);
}

static char *recorded(const PgTarget *target, const char *key)
{
    return g_strdup(json_string_value(json_object_get(target->options->recorded, key)));
}

char *pg_target_dumped_version(const PgTarget *target)
{
    return target->dump ? g_strdup(pgdump_header(target->dump)->server_version)
                        : recorded(target, "server_version");
}

char *pg_target_dumped_encoding(const PgTarget *target)
{
    return target->dump ? pgdump_encoding(target->dump) : recorded(target, "encoding");
}

static bool check_version(PgTarget *target, PgConn *conn, GError **error)
{
    g_autofree char *dumped_text = pg_target_dumped_version(target);
    int dumped = dumped_text ? pg_version_parse(dumped_text) : 0;
    int here = pg_conn_version(conn);

    if (pg_major(here) >= pg_major(dumped))
        return true;
    if (target->options->force) {
        pg_target_note(target, "the dump is of PostgreSQL %s, the target is %s", dumped_text,
                       pg_conn_version_text(conn));
        return true;
    }
    g_set_error(
        error, BS_ERROR, BS_ERROR_VERSION,
        "the dump is of PostgreSQL %s, the target is older: %s; restore to a newer server, or "
        "try with --force",
        dumped_text, pg_conn_version_text(conn));
    return false;
}

bool pg_target_takes_tool(const PgTarget *target, int version, GError **error)
{
    const char *dumped_by = pgdump_header(target->dump)->dump_version;
    int dumped = dumped_by ? pg_version_parse(dumped_by) : 0, here = pg_conn_version(target->conn);
    g_autofree char *tool = pg_major_text(version), *server = pg_major_text(here);
    g_autofree char *wanted = pg_major_text(MAX(dumped, here));

    if (pg_tool_restores_to(version, here))
        return true;
    if (pg_tool_restores_to(dumped, here))
        g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                    "pg_restore of PostgreSQL %s cannot restore to a server of %s, which does not "
                    "know transaction_timeout; install postgresql-client-%s",
                    tool, server, wanted);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                    "the dump is of pg_dump %s, whose pg_restore cannot restore to a server of "
                    "PostgreSQL %s, which does not know transaction_timeout; restore to PostgreSQL "
                    "17 or later, or export the dump as a script (--format sql), take the line "
                    "with that word out, and have psql run it",
                    dumped_by, server);
    return false;
}

static bool check_extension(PgTarget *target, const char *name, GError **error)
{
    const char *params[] = { name, NULL };
    int64_t n;

    if (!pg_query_number(target->conn,
                         "SELECT count(*) FROM pg_available_extensions WHERE name = $1", params, &n,
                         error))
        return false;
    if (n > 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                "the dump needs extension %s, which the target server does not have; install the "
                "package that brings it",
                name);
    return false;
}

static bool check_recorded_extensions(PgTarget *target, GError **error)
{
    const json_t *extension;
    size_t i;

    json_array_foreach(json_object_get(target->options->recorded, "extensions"), i, extension)
    {
        const char *name = json_string_value(json_object_get(extension, "name"));

        if (name && !check_extension(target, name, error))
            return false;
    }
    return true;
}

static bool check_extensions(PgTarget *target, GError **error)
{
    const GPtrArray *entries;

    if (!target->dump)
        return check_recorded_extensions(target, error);
    entries = pgdump_entries(target->dump);
    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (strcmp(entry->desc, "EXTENSION") == 0 && !check_extension(target, entry->tag, error))
            return false;
    }
    return true;
}

/* Whoever may create in it is asked when it comes to that: of a part nobody knows it here. */
static bool note_tablespaces(PgTarget *target, GError **error)
{
    const GPtrArray *entries = pgdump_entries(target->dump);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < entries->len; i++) {
        const char *name = ((const PgDumpEntry *)entries->pdata[i])->tablespace;
        const char *params[] = { name, NULL };
        int64_t n;

        if (!name || !*name || !g_hash_table_add(seen, (gpointer)name))
            continue;
        if (!pg_query_number(target->conn, "SELECT count(*) FROM pg_tablespace WHERE spcname = $1",
                             params, &n, error))
            return false;
        if (n == 0)
            pg_target_note(target,
                           "tables or indexes of the dump lie in tablespace %s, which the target "
                           "does not have; make it first, or they cannot be restored",
                           name);
    }
    return true;
}

static bool note_encoding(PgTarget *target, GError **error)
{
    g_autofree char *dumped = pg_target_dumped_encoding(target);
    g_autoptr(PgRows) rows =
        pg_query(target->conn, "SELECT current_setting('server_encoding')", NULL, error);

    if (!rows)
        return false;
    if (dumped && strcmp(dumped, pg_rows_get(rows, 0, 0)) != 0)
        pg_target_note(target, "the dump is in %s, the target database in %s", dumped,
                       pg_rows_get(rows, 0, 0));
    return true;
}

static bool make_database(PgTarget *target, GError **error)
{
    const char *name = pg_url_database(target->url);
    g_autoptr(PgConn) conn = NULL;

    if (!target->options->create) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "there is no database %s; make it first, or restore with --create", name);
        return false;
    }
    conn = pg_target_connect_beside(target, target->options->cancel, error);
    if (!conn || !check_version(target, conn, error))
        return false;
    if (!target->options->look_only)
        return pg_target_create_database(target, conn, error);
    if (!pg_target_look_at_tablespace(target, conn, error))
        return false;
    target->absent = true;
    target->conn = g_steal_pointer(&conn);
    return true;
}

PgTarget *pg_target_open(const PgUrl *url, const PgDump *dump, const PgTargetOptions *options,
                         GError **error)
{
    g_autoptr(PgTarget) target = g_new0(PgTarget, 1);
    g_autoptr(GError) failure = NULL;

    target->url = url;
    target->dump = dump;
    target->options = options;
    target->conn = pg_connect(url, NULL, options->cancel, &failure);
    if (!target->conn && g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_clear_error(&failure);
        if (!make_database(target, error))
            return NULL;
        if (!target->absent)
            target->conn = pg_connect(url, NULL, options->cancel, &failure);
    }
    if (!target->conn) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    if (!check_version(target, target->conn, error) || !check_extensions(target, error) ||
        (options->look_only && dump && !note_tablespaces(target, error)) ||
        (!target->absent && !note_encoding(target, error)))
        return NULL;
    return g_steal_pointer(&target);
}

void pg_target_free(PgTarget *target)
{
    if (!target)
        return;
    g_clear_pointer(&target->conn, pg_conn_free);
    if (target->made)
        pg_target_drop_database(target);
    g_free(target);
}

void pg_target_keep(PgTarget *target)
{
    target->made = false;
}

bool pg_target_is_absent(const PgTarget *target)
{
    return target->absent;
}

bool pg_target_begin(const Entry *entry, bool *opened, bool *ret_dump, GError **error)
{
    *ret_dump = false;
    if (S_ISDIR(entry->node->mode))
        return true;
    if (!S_ISREG(entry->node->mode) || *opened) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "one dump at a time can be restored into a database, and %s is another file",
                    entry->path);
        return false;
    }
    *opened = *ret_dump = true;
    return true;
}
