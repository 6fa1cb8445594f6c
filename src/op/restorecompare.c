/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restorecompare.h"

#include "pg/conn.h"
#include "pg/url.h"
#include "source/pgmigrations.h"

/* ---- facts ---- */

void restore_compare_fact(const char *name, const char *source, const json_t *saved,
                          const json_t *now, RestoreDiffers differs, void *user)
{
    g_autofree char *what = g_strconcat("fact ", name, NULL);
    const RestoreDifference difference = { source, what, json_string_value(saved),
                                           json_string_value(now) };

    if (g_strcmp0(difference.saved, difference.now) != 0)
        differs(&difference, user);
}

char *restore_compare_key(const char *source, const json_t *saved, const json_t *now)
{
    const char *before = json_string_value(saved), *after = json_string_value(now);
    g_autofree char *whose = source ? g_strdup_printf("source %s", source) : g_strdup("the target");
    g_autofree char *has = after ? g_strdup_printf("\"%s\"", after) : g_strdup("none");

    if (!before || g_strcmp0(before, after) == 0)
        return NULL;
    return g_strdup_printf("the application's key was \"%s\" when this was saved, %s has %s: "
                           "without the old one, also as a previous key, what is encrypted in it "
                           "cannot be read; bring it back before the application starts",
                           before, whose, has);
}

/* ---- databases ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const json_t *same_tool(const json_t *list, const json_t *wanted)
{
    const json_t *item;
    size_t i;

    json_array_foreach((json_t *)list, i, item)
    {
        if (g_strcmp0(text_of(item, "tool"), text_of(wanted, "tool")) == 0 &&
            g_strcmp0(text_of(item, "schema"), text_of(wanted, "schema")) == 0)
            return item;
    }
    return NULL;
}

static char *describe(const json_t *migrations)
{
    const char *newest = text_of(migrations, "newest"), *hash = text_of(migrations, "sha256");

    return migrations ? g_strdup_printf("%" JSON_INTEGER_FORMAT ", the newest is %s, SHA-256 %.12s",
                                        json_integer_value(json_object_get(migrations, "count")),
                                        newest ? newest : "none", hash ? hash : "")
                      : NULL;
}

/* From one list to the other; those that both have only in one direction. */
static void compare_migrations(const json_t *saved, const json_t *now, bool both,
                               RestoreDiffers differs, void *user)
{
    const json_t *list = both ? saved : now, *item;
    size_t i;

    json_array_foreach((json_t *)list, i, item)
    {
        const json_t *other = same_tool(both ? now : saved, item);
        const char *schema = text_of(item, "schema");
        g_autofree char *what = g_strdup_printf("migrations of %s in schema %s",
                                                text_of(item, "tool"), schema ? schema : "");
        g_autofree char *here = describe(item), *there = describe(other);

        if (other && (!both || g_strcmp0(text_of(item, "sha256"), text_of(other, "sha256")) == 0))
            continue;
        differs(&(RestoreDifference){ NULL, what, both ? here : there, both ? there : here }, user);
    }
}

bool restore_compare_database(const char *text, const char *name, const json_t *manifest,
                              const json_t *database, const Cancel *cancel, RestoreDiffers differs,
                              void *user, GError **error)
{
    g_autoptr(PgUrl) url = pg_url_parse(text, error);
    g_autoptr(PgConn) conn =
        url ? pg_connect(url, pg_url_database(url) ? NULL : name, cancel, error) : NULL;
    const json_t *saved = json_object_get(database, "migrations");
    const char *version = text_of(json_object_get(manifest, "server"), "version_text");
    json_t *now = NULL;

    if (!conn)
        return false;
    if (version && *version && g_strcmp0(version, pg_conn_version_text(conn)) != 0)
        differs(&(RestoreDifference){ NULL, "server version", version, pg_conn_version_text(conn) },
                user);
    if (!pg_migrations(conn, &now, error))
        return false;
    compare_migrations(saved, now, true, differs, user);
    compare_migrations(saved, now, false, differs, user);
    json_decref(now);
    return true;
}
