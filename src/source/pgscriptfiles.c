/* SPDX-License-Identifier: Apache-2.0 */
/* The script that pg_restore makes of a dump in directory format. */
#include "base/child.h"
#include "base/error.h"
#include "pg/tools.h"
#include "source/pgfilessink.h"
#include "source/pgscript.h"

#define STEP (256u * 1024) /* bytes of the script at once */

typedef struct {
    int version;
    char *key;
    Outlet *out; /* borrowed */
    const Cancel *cancel;
} Script;

static bool move(const Script *script, const Child *child, GError **error)
{
    g_autofree uint8_t *buffer = g_malloc(STEP);

    for (;;) {
        ssize_t n = cancel_read(script->cancel, child_stdout(child), buffer, STEP, error);

        if (n <= 0)
            return n == 0;
        if (!outlet_write(script->out, buffer, (size_t)n, error))
            return false;
    }
}

static bool script_run(void *user, const char *directory, GError **error)
{
    Script *script = user;
    g_autoptr(Child) child =
        pg_script_spawn(script->version, script->key, directory, CHILD_STDOUT_PIPE, error);

    return child && move(script, child, error) && child_wait(child, script->cancel, NULL, error);
}

static void script_free(void *user)
{
    Script *script = user;

    g_free(script->key);
    g_free(script);
}

static const PgFilesUse script_use = { .run = script_run, .free = script_free };

Sink *pg_script_files_sink_new(int version, const char *key, GBytes *toc, const json_t *recorded,
                               Outlet *out, const Cancel *cancel)
{
    Script *script = g_new0(Script, 1);

    *script = (Script){ version, g_strdup(key), out, cancel };
    return pg_files_sink_new(&script_use, script, toc, recorded);
}
