/* SPDX-License-Identifier: Apache-2.0 */
/* The way back of a dump in directory format: it lies in files, so pg_restore is started when all
 * of it is there, in one transaction, or with several jobs. */
#include "base/error.h"
#include "source/pgclean.h"
#include "source/pgfilessink.h"
#include "source/pglocks.h"
#include "source/pgrestoring.h"
#include <string.h>

static bool restore_start(void *user, const PgDump *dump, GByteArray **toc, GError **error)
{
    PgRestoring *restoring = user;

    restoring->dump = dump;
    if (restoring->options.clean)
        pg_clean_prepare(dump, (*toc)->data, (*toc)->len);
    if (restoring->jobs > 1)
        *toc = pg_locks_complete(dump, *toc);
    return pg_restoring_look(restoring, error);
}

static bool restore_run(void *user, const char *directory, GError **error)
{
    PgRestoring *restoring = user;

    restoring->from = directory;
    return pg_restoring_spawn(restoring, error) && pg_restoring_wait(restoring, error) &&
           pg_restoring_prove(restoring, error);
}

static void restore_free(void *user)
{
    PgRestoring *restoring = user;

    pg_restoring_done(restoring);
    g_free(restoring);
}

static const PgFilesUse use_restore = { restore_start, restore_run, restore_free, false };
static const PgFilesUse use_look = { restore_start, restore_run, restore_free, true };

Sink *pg_restore_files_sink_new(const PgRestoreRequest *request, GBytes *toc, GError **error)
{
    PgRestoring *restoring = g_new0(PgRestoring, 1);

    if (!pg_restoring_init(restoring, request, error)) {
        restore_free(restoring);
        return NULL;
    }
    return pg_files_sink_new(request->preview ? &use_look : &use_restore, restoring, toc,
                             request->recorded);
}
