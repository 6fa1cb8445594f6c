/* SPDX-License-Identifier: Apache-2.0 */
/* pg_restore: what it is started with, after the target was looked at, and what it ends with. */
#include "base/error.h"
#include "base/fs.h"
#include "source/pgrestoring.h"
#include "source/pgselect.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PIPE_LEN (1u << 20)

char *pg_restoring_temp_file(const char *what, int *ret_fd, GError **error)
{
    g_autofree char *name = g_strdup_printf("backstay-%s-XXXXXX", what);
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), name, NULL);
    int fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0) {
        bs_error_errno(error, errno, "create %s", path);
        return NULL;
    }
    *ret_fd = fd;
    return g_steal_pointer(&path);
}

/* pg_restore reads of each line the number before the semicolon. */
static bool write_list(PgRestoring *restoring, GError **error)
{
    const GPtrArray *entries = pgdump_entries(restoring->dump);
    g_autoptr(GString) text = g_string_new(NULL);
    fs_autoclose int fd = -1;

    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (g_hash_table_contains(restoring->chosen, entry))
            g_string_append_printf(text, "%d;\n", entry->id);
    }
    restoring->list = pg_restoring_temp_file("list", &fd, error);
    return restoring->list && fs_write_all(fd, text->str, text->len, restoring->list, error);
}

static void note(const PgRestoring *restoring, const char *text)
{
    if (restoring->options.note)
        restoring->options.note(text, restoring->options.user);
}

static bool choose(PgRestoring *restoring, GError **error)
{
    g_autoptr(GHashTable) present = NULL;
    g_autoptr(GPtrArray) left_out = NULL;
    PgSelection selection = { .tables = restoring->tables, .schemas = restoring->schemas };
    unsigned objects;

    if (!restoring->tables && !restoring->schemas)
        return true;
    present = pg_target_schemas(restoring->target, error);
    if (!present || !pg_target_count(restoring->target, &objects, error))
        return false;
    selection.with_needed = objects == 0;
    selection.present_schemas = present;
    if (!pg_select(restoring->dump, &selection, &restoring->chosen, &left_out, error))
        return false;
    for (guint i = 0; i < left_out->len; i++) {
        g_autofree char *text = g_strdup_printf("left out, its other side is not restored: %s",
                                                (const char *)left_out->pdata[i]);

        note(restoring, text);
    }
    return restoring->preview || write_list(restoring, error);
}

/* Ends the reading of the dump. */
static bool looked(PgRestoring *restoring, GError **error)
{
    restoring->preview->absent = pg_target_is_absent(restoring->target);
    if (pg_target_count(restoring->target, &restoring->preview->objects, error))
        g_set_error_literal(error, BS_ERROR, BS_ERROR_SOFT_SKIP, "only looked at");
    return false;
}

static GPtrArray *restore_command(const PgRestoring *restoring)
{
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(argv, g_strdup(restoring->tool->path));
    g_ptr_array_add(argv, g_strdup("--exit-on-error"));
    g_ptr_array_add(argv, g_strdup("--no-password"));
    g_ptr_array_add(argv, g_strdup_printf("--dbname=%s", pg_access_conninfo(restoring->access)));
    if (restoring->options.clean) {
        g_ptr_array_add(argv, g_strdup("--clean"));
        g_ptr_array_add(argv, g_strdup("--if-exists"));
    }
    if (restoring->options.no_owner)
        g_ptr_array_add(argv, g_strdup("--no-owner"));
    if (restoring->no_acl)
        g_ptr_array_add(argv, g_strdup("--no-privileges"));
    if (restoring->list)
        g_ptr_array_add(argv, g_strdup_printf("--use-list=%s", restoring->list));
    if (restoring->from && restoring->jobs > 1)
        g_ptr_array_add(argv, g_strdup_printf("--jobs=%u", restoring->jobs));
    else
        g_ptr_array_add(argv, g_strdup("--single-transaction"));
    if (restoring->from)
        g_ptr_array_add(argv, g_strdup(restoring->from));
    g_ptr_array_add(argv, NULL);
    return argv;
}

bool pg_restoring_spawn(PgRestoring *restoring, GError **error)
{
    g_autoptr(GPtrArray) argv = restore_command(restoring);

    restoring->child =
        child_spawn((const char *const *)argv->pdata, pg_access_environ(restoring->access),
                    restoring->from ? 0 : CHILD_STDIN_PIPE, error);
    if (restoring->child && !restoring->from)
        (void)fcntl(child_stdin(restoring->child), F_SETPIPE_SZ, PIPE_LEN);
    return restoring->child != NULL;
}

/* The table of contents has passed: all that can be known is looked at. */
bool pg_restoring_look(PgRestoring *restoring, GError **error)
{
    const PgDumpHeader *header = pgdump_header(restoring->dump);
    int version = header->dump_version ? pg_version_parse(header->dump_version) : 0;

    if (!pg_url_database(restoring->url)) {
        PgUrl *server = restoring->url;

        restoring->url = pg_url_with_database(server, header->database ? header->database : "");
        pg_url_free(server);
    }
    restoring->tool = pg_tool_find("pg_restore", version, error);
    restoring->target = restoring->tool ? pg_target_open(restoring->url, restoring->dump,
                                                         &restoring->options, error)
                                        : NULL;
    if (!restoring->target ||
        !pg_target_takes_tool(restoring->target, restoring->tool->version, error) ||
        !choose(restoring, error) ||
        !pg_target_check_room(restoring->target, restoring->chosen, error))
        return false;
    if (restoring->preview)
        return looked(restoring, error);
    restoring->access = pg_access_new(restoring->url, error);
    return restoring->access != NULL;
}

/* Waits for its end. What a choice needs from elsewhere is brought into an empty database alone. */
bool pg_restoring_wait(PgRestoring *restoring, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (child_wait(restoring->child, restoring->cancel, NULL, &failure))
        return true;
    if (restoring->chosen && strstr(failure->message, "does not exist"))
        g_set_error(error, failure->domain, failure->code,
                    "%s; only what is chosen is brought into a database that holds something: "
                    "create there first what it needs (a schema, a type, a function), or restore "
                    "into a new database and take it from there",
                    g_strchomp(failure->message));
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* ---- all of it ---- */

bool pg_restoring_prove(PgRestoring *restoring, GError **error)
{
    // it is restored; what is found from here on is for the user to judge
    pg_target_keep(restoring->target);
    return pg_target_compare(restoring->target, restoring->chosen, error) &&
           pg_target_apply_settings(restoring->target, error) &&
           pg_target_analyze(restoring->target, restoring->chosen, error);
}

static GStrv copy_list(char **list)
{
    return list && *list ? g_strdupv(list) : NULL;
}

PgTargetOptions pg_restore_target_options(const PgRestoreRequest *request)
{
    return (PgTargetOptions){
        .clean = request->clean,
        .create = request->create,
        .force = request->force,
        .no_owner = request->no_owner,
        .look_only = request->preview != NULL,
        .recorded = request->recorded,
        .note = request->note,
        .user = request->user,
        .cancel = request->cancel,
    };
}

bool pg_restoring_init(PgRestoring *restoring, const PgRestoreRequest *request, GError **error)
{
    *restoring = (PgRestoring){
        .url = pg_url_parse(request->url, error),
        .options = pg_restore_target_options(request),
        .no_acl = request->no_acl,
        .jobs = request->jobs,
        .preview = request->preview,
        .tables = copy_list(request->tables),
        .schemas = copy_list(request->schemas),
        .cancel = request->cancel,
    };
    return restoring->url != NULL;
}

void pg_restoring_done(PgRestoring *restoring)
{
    // pg_restore goes first: it would keep a database that was made from being dropped
    child_free(restoring->child);
    pg_target_free(restoring->target);
    pg_access_free(restoring->access);
    pg_tool_free(restoring->tool);
    g_clear_pointer(&restoring->chosen, g_hash_table_unref);
    if (restoring->list)
        (void)unlink(restoring->list);
    g_free(restoring->list);
    pg_url_free(restoring->url);
    g_strfreev(restoring->tables);
    g_strfreev(restoring->schemas);
}
