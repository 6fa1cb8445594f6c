/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/catalog_test.h"
#include "lib/pg_server.h"
#include "lib/tempdir.h"

static PgServer *server;

static void run_with_sqlite(gconstpointer test)
{
    char *dir = tempdir_new();
    g_autofree char *url = g_strdup_printf("sqlite:%s/catalog.db", dir);

    ((CatalogTest)test)(url);
    tempdir_remove(dir);
}

static void run_with_postgres(gconstpointer test)
{
    static unsigned n;
    g_autofree char *schema = g_strdup_printf("test_%u", n++);
    g_autofree char *create = g_strdup_printf("CREATE SCHEMA %s", schema);
    g_autofree char *where = NULL, *url = NULL;

    if (!server)
        server = pg_server_start();
    g_free(pg_server_sql(server, "postgres", create));
    where = pg_server_url(server, "postgres");
    url = g_strdup_printf("%s&options=-csearch_path%%3D%s", where, schema);
    ((CatalogTest)test)(url);
}

void catalog_test_add(const char *name, CatalogTest test)
{
    g_autofree char *sqlite = g_strconcat("/sqlite/", name, NULL);
    g_autofree char *postgres = g_strconcat("/postgres/", name, NULL);

    g_test_add_data_func(sqlite, test, run_with_sqlite);
    g_test_add_data_func(postgres, test, run_with_postgres);
}

int catalog_test_run(void)
{
    int result = g_test_run();

    if (server)
        pg_server_stop(server);
    return result;
}
