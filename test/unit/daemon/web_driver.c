/* SPDX-License-Identifier: Apache-2.0 */
/* web_driver CONFIGURATION BACKSTAY   the process of `backstay daemon --web` by itself, for
 * test/system/web.py: without a scheduler, so that it can be seen what is served then. */
#include "base/log.h"
#include "daemon/web.h"
#include "state/catalog.h"
#include <stdio.h>

/* What the scheduler has done by then. */
static bool make_catalog(GError **error)
{
    g_autofree char *url =
        g_strconcat("sqlite:", g_getenv("STATE_DIRECTORY"), "/catalogue.db", NULL);
    g_autoptr(Catalog) catalog = NULL;

    return catalog_open(url, NULL, &catalog, error);
}

int main(int argc, char **argv)
{
    g_autoptr(Cancel) stop = cancel_new();
    g_autoptr(GError) error = NULL;

    log_set_level(LOG_INFO);
    cancel_on_signals(stop);
    if (argc == 3 && make_catalog(&error) && web_run(argv[1], argv[2], stop, &error))
        return 0;
    (void)fprintf(stderr, "web_driver: %s\n", error ? error->message : "two operands are needed");
    return 1;
}
