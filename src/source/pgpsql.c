/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgpsql.h"

#include "base/child.h"
#include "base/error.h"
#include "base/id.h"
#include "pg/passfile.h"
#include "pg/tools.h"
#include <string.h>

struct PgPsql {
    PgAccess *access;
    Child *child;
    const Cancel *cancel;
};

/* The releases whose psql can be told to refuse its own commands (CVE-2025-8714). */
static bool can_restrict(int version)
{
    static const struct {
        int major, first;
    } since[] = { { 13, 130022 }, { 14, 140019 }, { 15, 150014 }, { 16, 160010 }, { 17, 170006 } };

    for (size_t i = 0; i < G_N_ELEMENTS(since); i++)
        if (version / 10000 == since[i].major)
            return version >= since[i].first;
    return version >= 180000;
}

static PgTool *find_psql(const json_t *recorded, GError **error)
{
    const char *dumped = json_string_value(json_object_get(recorded, "pg_dump_version"));
    g_autoptr(PgTool) tool = pg_tool_find("psql", dumped ? pg_version_parse(dumped) : 0, error);

    if (!tool || can_restrict(tool->version))
        return g_steal_pointer(&tool);
    g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                "psql %s would run commands that a script holds; update it to the last minor "
                "release",
                tool->version_text);
    return NULL;
}

bool pg_psql_say(PgPsql *psql, const void *text, size_t len, GError **error)
{
    bool deaf = false;

    if (!child_write(psql->child, psql->cancel, text, len, &deaf, error))
        return false;
    if (!deaf)
        return true;
    // it says why it left
    if (child_wait(psql->child, psql->cancel, NULL, error))
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "psql ended before the script did");
    return false;
}

bool pg_psql_end(PgPsql *psql, GError **error)
{
    return child_wait(psql->child, psql->cancel, NULL, error);
}

void pg_psql_free(PgPsql *psql)
{
    if (!psql)
        return;
    child_free(psql->child);
    pg_access_free(psql->access);
    g_free(psql);
}

static bool spawn(PgPsql *psql, const PgTool *tool, GError **error)
{
    g_autofree char *dbname = g_strconcat("--dbname=", pg_access_conninfo(psql->access), NULL);
    const char *argv[] = { tool->path,      "--no-psqlrc",        "--quiet",
                           "--no-password", "--output=/dev/null", "--variable=ON_ERROR_STOP=1",
                           dbname,          "--file=-",           NULL };

    psql->child = child_spawn(argv, pg_access_environ(psql->access), CHILD_STDIN_PIPE, error);
    return psql->child != NULL;
}

PgPsql *pg_psql_open(const PgUrl *url, const json_t *recorded, const Cancel *cancel, GError **error)
{
    g_autoptr(PgTool) tool = find_psql(recorded, error);
    g_autoptr(PgPsql) psql = g_new0(PgPsql, 1);
    g_autofree char *text = NULL;
    Id key;

    psql->cancel = cancel;
    psql->access = tool ? pg_access_new(url, error) : NULL;
    if (!psql->access || !spawn(psql, tool, error))
        return NULL;
    random_bytes(key.bytes, sizeof key.bytes);
    text = g_strdup_printf("\\restrict %s\n", id_hex(&key).text);
    return pg_psql_say(psql, text, strlen(text), error) ? g_steal_pointer(&psql) : NULL;
}
