/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/url.h"
#include "base/error.h"
#include "base/secret.h"
#include <string.h>

#define NAME_BYTES                                                                                 \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"                                                                   \
    "abcdefghijklmnopqrstuvwxyz"                                                                   \
    "0123456789._-"

struct PgUrl {
    PQconninfoOption *options;
    char *database;
};

/* Keywords that the redacted form has in a place of its own, or not at all. */
static const char *const placed_keywords[] = {
    "user", "password", "host", "port", "dbname", "sslpassword", NULL,
};

bool pg_url_is(const char *text)
{
    return g_str_has_prefix(text, "postgresql://") || g_str_has_prefix(text, "postgres://");
}

PgUrl *pg_url_parse(const char *text, GError **error)
{
    g_autoptr(PgUrl) url = g_new0(PgUrl, 1);
    char *why = NULL;

    if (!strstr(text, "=") && !strstr(text, "://")) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "not a PostgreSQL URL; write postgresql://user@host/database");
        return NULL;
    }
    url->options = PQconninfoParse(text, &why);
    if (why) {
        // libpq quotes what it could not read, and that may be a part of the password
        secret_wipe(why, strlen(why));
        PQfreemem(why);
    }
    if (!url->options) {
        g_set_error(
            error, BS_ERROR, BS_ERROR_USAGE,
            "libpq cannot read this PostgreSQL URL; special characters in user, password or "
            "database are written %%XX");
        return NULL;
    }
    return g_steal_pointer(&url);
}

void pg_url_free(PgUrl *url)
{
    if (!url)
        return;
    for (PQconninfoOption *option = url->options; option && option->keyword; option++)
        if (option->val && *option->dispchar == '*')
            secret_wipe(option->val, strlen(option->val));
    PQconninfoFree(url->options);
    g_free(url->database);
    g_free(url);
}

const char *pg_url_get(const PgUrl *url, const char *keyword)
{
    if (url->database && strcmp(keyword, "dbname") == 0)
        return url->database;
    for (const PQconninfoOption *option = url->options; option->keyword; option++)
        if (strcmp(option->keyword, keyword) == 0)
            return option->val && *option->val ? option->val : NULL;
    return NULL;
}

const char *pg_url_database(const PgUrl *url)
{
    return pg_url_get(url, "dbname");
}

const char *pg_url_password(const PgUrl *url)
{
    const char *password = pg_url_get(url, "password");

    if (!password)
        password = g_getenv("PGPASSWORD");
    return password && *password ? password : NULL;
}

static void append_quoted(GString *out, const char *keyword, const char *value)
{
    if (out->len)
        g_string_append_c(out, ' ');
    g_string_append_printf(out, "%s='", keyword);
    for (const char *c = value; *c; c++) {
        if (*c == '\'' || *c == '\\')
            g_string_append_c(out, '\\');
        g_string_append_c(out, *c);
    }
    g_string_append_c(out, '\'');
}

/* The same place, with one word of it replaced. */
static PQconninfoOption *copy_with(const PgUrl *url, const char *keyword, const char *value)
{
    GString *text = g_string_new(NULL);
    PQconninfoOption *options;

    for (const PQconninfoOption *option = url->options; option->keyword; option++)
        if (option->val && *option->val && g_strcmp0(option->keyword, keyword) != 0)
            append_quoted(text, option->keyword, option->val);
    if (keyword)
        append_quoted(text, keyword, value);
    options = PQconninfoParse(text->str, NULL);
    secret_wipe(text->str, text->len);
    g_string_free(text, TRUE);
    g_assert(options);
    return options;
}

PgUrl *pg_url_with_database(const PgUrl *url, const char *database)
{
    PgUrl *copy = g_new0(PgUrl, 1);

    copy->options = copy_with(url, NULL, NULL);
    copy->database = g_strdup(database);
    return copy;
}

PgUrl *pg_url_with_password(const PgUrl *url, const char *password)
{
    PgUrl *copy = g_new0(PgUrl, 1);

    copy->options = copy_with(url, "password", password);
    copy->database = g_strdup(url->database);
    return copy;
}

static void append_hosts(GString *out, const char *hosts, const char *ports)
{
    g_auto(GStrv) host = g_strsplit(hosts ? hosts : "", ",", -1);
    g_auto(GStrv) port = g_strsplit(ports ? ports : "", ",", -1);
    guint n_ports = g_strv_length(port);

    for (guint i = 0; i == 0 || (host[0] && host[i]); i++) {
        const char *name = host[0] ? host[i] : "";
        bool v6 = strchr(name, ':') != NULL;
        // one port stands for all hosts
        const char *number = n_ports == 1 ? port[0] : i < n_ports ? port[i] : "";

        if (i)
            g_string_append_c(out, ',');
        g_string_append(out, v6 ? "[" : "");
        g_string_append_uri_escaped(out, name, v6 ? ":" : NULL, FALSE);
        g_string_append(out, v6 ? "]" : "");
        if (*number)
            g_string_append_printf(out, ":%s", number);
    }
}

char *pg_url_redacted(const PgUrl *url)
{
    GString *out = g_string_new("postgresql://");
    const char *user = pg_url_get(url, "user");
    const char *database = pg_url_database(url);
    char joint = '?';

    if (user) {
        g_string_append_uri_escaped(out, user, NULL, FALSE);
        g_string_append_c(out, '@');
    }
    append_hosts(out, pg_url_get(url, "host"), pg_url_get(url, "port"));
    if (database) {
        g_string_append_c(out, '/');
        g_string_append_uri_escaped(out, database, NULL, FALSE);
    }
    for (const PQconninfoOption *option = url->options; option->keyword; option++) {
        if (!option->val || !*option->val || g_strv_contains(placed_keywords, option->keyword))
            continue;
        g_string_append_printf(out, "%c%s=", joint, option->keyword);
        g_string_append_uri_escaped(out, option->val, NULL, FALSE);
        joint = '&';
    }
    return g_string_free(out, FALSE);
}

char *pg_escape_name(const char *name)
{
    GString *out = g_string_new(NULL);

    for (const char *c = name; *c; c++) {
        if (strchr(NAME_BYTES, *c))
            g_string_append_c(out, *c);
        else
            g_string_append_printf(out, "%%%02X", (unsigned char)*c);
    }
    return g_string_free(out, FALSE);
}

static const char *host_for_name(const PgUrl *url)
{
    const char *host = pg_url_get(url, "host");

    if (!host)
        host = pg_url_get(url, "hostaddr");
    if (!host)
        host = g_getenv("PGHOST");
    return !host || !*host || *host == '/' || *host == '@' ? "local" : host;
}

char *pg_url_source_name(const PgUrl *url)
{
    g_autofree char *plain =
        g_strjoin("-", "postgresql", host_for_name(url), pg_url_database(url), NULL);

    return pg_escape_name(plain);
}

char *pg_url_cluster_name(const PgUrl *url)
{
    const char *port = pg_url_get(url, "port");
    g_autofree char *plain = NULL;

    if (!port)
        port = g_getenv("PGPORT");
    // of several hosts without any libpq makes ","
    if (!port || strspn(port, ",") == strlen(port))
        port = "5432";
    plain = g_strjoin("-", "pgcluster", host_for_name(url), port, NULL);
    return pg_escape_name(plain);
}

void pg_url_params(const PgUrl *url, GPtrArray *keywords, GPtrArray *values)
{
    for (const PQconninfoOption *option = url->options; option->keyword; option++) {
        const char *value = pg_url_get(url, option->keyword);

        if (value) {
            g_ptr_array_add(keywords, option->keyword);
            g_ptr_array_add(values, (char *)value);
        }
    }
}

bool pg_url_conninfo(const PgUrl *url, char **ret_conninfo, GError **error)
{
    bool own_passfile = pg_url_password(url) != NULL;
    g_autoptr(GString) out = g_string_new(NULL);

    if (pg_url_get(url, "sslpassword")) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "sslpassword would show in the list of processes; use a client key without a "
                    "password, or a service file");
        return false;
    }
    for (const PQconninfoOption *option = url->options; option->keyword; option++) {
        const char *value = pg_url_get(url, option->keyword);

        if (!value || strcmp(option->keyword, "password") == 0)
            continue;
        if (own_passfile && strcmp(option->keyword, "passfile") == 0)
            continue;
        append_quoted(out, option->keyword, value);
    }
    if (!pg_url_get(url, "application_name"))
        append_quoted(out, "application_name", "backstay");
    if (!pg_url_get(url, "connect_timeout") && !g_getenv("PGCONNECT_TIMEOUT"))
        append_quoted(out, "connect_timeout", "10");
    *ret_conninfo = g_string_free(g_steal_pointer(&out), FALSE);
    return true;
}
