/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgscript.h"

#include "base/child.h"
#include "base/error.h"
#include "pg/tools.h"
#include <pthread.h>
#include <stdatomic.h>

#define STEP (256u * 1024) /* bytes of the script at once */

typedef struct {
    Outlet base;
    Outlet *next;
    const Cancel *cancel;
    Child *child;
    pthread_t thread;
    bool running;    /* the thread is not joined yet */
    GError *failure; /* of the way out; the thread's until it is joined */
    atomic_bool failed;
} ScriptOutlet;

/* Moves the script on. When the way out fails the rest is read all the same: pg_restore would wait
 * for a reader for ever, and we for it. */
static void *move_script(void *user)
{
    ScriptOutlet *outlet = user;
    g_autofree uint8_t *buffer = g_malloc(STEP);
    ssize_t n;

    do {
        g_autoptr(GError) failure = NULL;

        n = cancel_read(outlet->cancel, child_stdout(outlet->child), buffer, STEP, &failure);
        if (n > 0 && !outlet->failure)
            (void)outlet_write(outlet->next, buffer, (size_t)n, &outlet->failure);
        else if (n < 0 && !outlet->failure)
            outlet->failure = g_steal_pointer(&failure);
        if (outlet->failure)
            atomic_store(&outlet->failed, true);
    } while (n > 0);
    return NULL;
}

static void join(ScriptOutlet *outlet)
{
    if (outlet->running)
        pthread_join(outlet->thread, NULL);
    outlet->running = false;
}

/* The way out is closed, or pg_restore went away before it had the dump: what it says tells more
 * than the broken pipe. */
static bool fail_early(ScriptOutlet *outlet, GError **error)
{
    child_close_stdin(outlet->child);
    join(outlet);
    if (outlet->failure)
        g_propagate_error(error, g_steal_pointer(&outlet->failure));
    else if (child_wait(outlet->child, outlet->cancel, NULL, error))
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "pg_restore ended before the dump did; there is something behind its end");
    return false;
}

static bool script_write(Outlet *base, const void *data, size_t len, GError **error)
{
    ScriptOutlet *outlet = (ScriptOutlet *)base;
    bool deaf = false;

    if (!atomic_load(&outlet->failed) &&
        !child_write(outlet->child, outlet->cancel, data, len, &deaf, error))
        return false;
    return (!deaf && !atomic_load(&outlet->failed)) || fail_early(outlet, error);
}

static bool script_finish(Outlet *base, GError **error)
{
    ScriptOutlet *outlet = (ScriptOutlet *)base;

    child_close_stdin(outlet->child);
    join(outlet);
    if (outlet->failure) {
        g_propagate_error(error, g_steal_pointer(&outlet->failure));
        return false;
    }
    return child_wait(outlet->child, outlet->cancel, NULL, error) &&
           outlet_finish(outlet->next, error);
}

static void script_free(Outlet *base)
{
    ScriptOutlet *outlet = (ScriptOutlet *)base;

    if (outlet->running)
        child_close_stdin(outlet->child); // so that it ends, and with it what the thread reads
    join(outlet);
    child_free(outlet->child);
    g_clear_error(&outlet->failure);
    outlet_free(outlet->next);
    g_free(outlet);
}

static const OutletOps script_ops = {
    .name = "pg_restore",
    .write = script_write,
    .finish = script_finish,
    .free = script_free,
};

/* Since the releases of August 2025 a script begins with a word that ends it (CVE-2025-8714). */
static bool has_key(int version)
{
    static const int since[] = { 130022, 140019, 150014, 160010, 170006, 180000 };

    for (size_t i = 0; i < G_N_ELEMENTS(since); i++)
        if (version / 10000 == since[i] / 10000)
            return version >= since[i];
    return version > 180000;
}

Child *pg_script_spawn(int version, const char *key, const char *from, unsigned flags,
                       GError **error)
{
    g_autoptr(PgTool) tool = pg_tool_find("pg_restore", version, error);
    g_autofree char *restrict_key = g_strconcat("--restrict-key=", key, NULL);
    // up to 11 it writes to standard output unasked, and "-" would be the name of a file
    const char *argv[5] = { NULL };
    size_t n = 1;

    if (!tool)
        return NULL;
    argv[0] = tool->path;
    if (pg_major(tool->version) >= pg_major(120000))
        argv[n++] = "--file=-";
    if (key && has_key(tool->version))
        argv[n++] = restrict_key;
    if (from)
        argv[n++] = from;
    return child_spawn(argv, NULL, flags, error);
}

Outlet *pg_script_new(int version, const char *key, Outlet *next, const Cancel *cancel,
                      GError **error)
{
    ScriptOutlet *outlet = g_new0(ScriptOutlet, 1);
    int failure;

    outlet->base.ops = &script_ops;
    outlet->next = next;
    outlet->cancel = cancel;
    outlet->child =
        pg_script_spawn(version, key, NULL, CHILD_STDIN_PIPE | CHILD_STDOUT_PIPE, error);
    if (!outlet->child) {
        script_free(&outlet->base);
        return NULL;
    }
    failure = pthread_create(&outlet->thread, NULL, move_script, outlet);
    if (failure != 0) {
        bs_error_errno(error, failure, "pthread_create");
        script_free(&outlet->base);
        return NULL;
    }
    outlet->running = true;
    return &outlet->base;
}
