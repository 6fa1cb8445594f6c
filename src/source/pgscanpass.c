/* SPDX-License-Identifier: Apache-2.0 */
/* What of a plain dump goes on to who runs it: SQL and rows, but no commands of psql, and no
 * statement that is not to be run. */
#include "base/error.h"
#include "pg/url.h"
#include "source/pgscanning.h"
#include <string.h>

static const char *const verbs[] = { "CREATE ROLE ", "ALTER ROLE ", "CREATE TABLESPACE ",
                                     "CREATE DATABASE " };

void pg_scan_set_pass(PgScan *scan, PgScanPass pass, void *user)
{
    scan->pass = pass;
    scan->user = user;
}

void pg_scan_set_sessions(PgScan *scan, const PgScanSessions *sessions, PgScanPass pass, void *user)
{
    pg_scan_set_pass(scan, pass, user);
    scan->sessions = sessions;
}

/* A name as it is written, quoted or not; *at goes behind it. NULL: there is none. */
char *pg_scan_take_name(const char **at)
{
    GString *name = g_string_new(NULL);
    const char *p = *at;

    if (*p == '"') {
        for (p++; *p && (*p != '"' || p[1] == '"'); p++) {
            p += *p == '"';
            g_string_append_c(name, *p);
        }
        p += *p == '"';
    } else {
        for (; *p && !strchr(" .(;\t\n", *p); p++)
            g_string_append_c(name, g_ascii_tolower(*p));
    }
    *at = p;
    return g_string_free(name, name->len == 0);
}

/* ---- statements that may stay behind ---- */

static const char *verb_of(const char *text)
{
    for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
        if (g_str_has_prefix(text, verbs[i]))
            return verbs[i];
    return NULL;
}

/* A statement of its own: what ends, or begins, the transaction; or what is there already. */
static bool stays_behind(PgScan *scan, const char *text)
{
    const char *verb = verb_of(text), *at = verb ? text + strlen(verb) : NULL;
    g_autofree char *name = NULL;

    if (!scan->sessions)
        return strcmp(text, "BEGIN;") == 0 || strcmp(text, "COMMIT;") == 0;
    name = verb ? pg_scan_take_name(&at) : NULL;
    return name && !scan->sessions->keeps(scan->user, verb, name, text);
}

static bool may_stay_behind(const PgScan *scan, const char *text)
{
    if (!scan->sessions)
        return g_str_has_prefix("BEGIN;", text) || g_str_has_prefix("COMMIT;", text);
    for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
        if (strncmp(verbs[i], text, MIN(strlen(verbs[i]), strlen(text))) == 0)
            return true;
    return false;
}

static void pass_held(PgScan *scan)
{
    if (!stays_behind(scan, scan->held->str))
        g_byte_array_append(scan->out, (const uint8_t *)scan->held->str, (guint)scan->held->len);
    g_string_truncate(scan->held, 0);
}

void pg_scan_pass_byte(PgScan *scan, uint8_t byte, State before)
{
    bool begins = before == IN_SCRIPT && scan->statement->len == 1;
    bool ends = byte == ';' && scan->state == IN_SCRIPT && scan->statement->len == 0;

    if (before == IN_COMMAND || scan->state == IN_COMMAND)
        return;
    if (!begins && scan->held->len == 0) {
        g_byte_array_append(scan->out, &byte, 1);
        return;
    }
    g_string_append_c(scan->held, (char)byte);
    if (ends || !may_stay_behind(scan, scan->held->str))
        pass_held(scan);
}

bool pg_scan_pass_all(PgScan *scan, GError **error)
{
    bool ok = scan->out->len == 0 || scan->pass(scan->user, scan->out->data, scan->out->len, error);

    g_byte_array_set_size(scan->out, 0);
    return ok;
}

/* ---- sessions ---- */

/* As pg_dump writes it: a name, or -reuse-previous=on "dbname='...'" (fe_utils/string_utils.c,
 * appendPsqlMetaConnect). NULL: otherwise. */
static char *database_of(const char *target)
{
    static const char reuse[] = "-reuse-previous=on ";
    bool is_conninfo = g_str_has_prefix(target, reuse);
    const char *at = target + (is_conninfo ? sizeof reuse - 1 : 0);
    g_autofree char *name = pg_scan_take_name(&at);
    g_autoptr(PgUrl) url = NULL;

    if (!name || *at)
        return NULL;
    if (!is_conninfo)
        return g_steal_pointer(&name);
    url = pg_url_parse(name, NULL);
    return url ? g_strdup(pg_url_database(url)) : NULL;
}

bool pg_scan_pass_connect(PgScan *scan, const char *target, GError **error)
{
    g_autofree char *database = NULL;

    if (!scan->sessions)
        return true;
    database = database_of(target);
    if (!database)
        return pg_scan_corrupt(scan, error, "\\connect names no database");
    return pg_scan_pass_all(scan, error) && scan->sessions->connect(scan->user, database, error);
}
