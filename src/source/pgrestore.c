/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgrestore.h"
#include "base/child.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/hash.h"
#include "pg/passfile.h"
#include "pg/tools.h"
#include "source/pgclean.h"
#include "source/pgdump.h"
#include "source/pglocks.h"
#include "source/pgselect.h"
#include "source/pgtarget.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PIPE_LEN  (1u << 20)
#define ZEROS_LEN (64u << 10)

typedef struct {
    Sink base;
    PgUrl *url;
    PgTargetOptions options;
    bool no_acl;
    unsigned jobs;
    PgPreview *preview;
    GStrv tables, schemas;
    const Cancel *cancel;

    bool opened, ended; /* the one file */
    PgDump *dump;
    Hash *hash;
    uint64_t position;

    GByteArray
        *waiting; /* what pg_restore has not got yet: all until it runs, then the last byte */
    PgTarget *target;
    GHashTable *chosen; /* NULL: all entries */
    PgAccess *access;
    PgTool *tool;
    Child *child;
    bool deaf;   /* pg_restore has closed its input: it has all it wants, or failed */
    char *list;  /* file that names the chosen entries */
    char *spool; /* file that holds the dump, with several jobs */
    int spool_fd;
} RestoreSink;

/* ---- start ---- */

static char *temp_file(const char *what, int *ret_fd, GError **error)
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
static bool write_list(RestoreSink *sink, GError **error)
{
    const GPtrArray *entries = pgdump_entries(sink->dump);
    g_autoptr(GString) text = g_string_new(NULL);
    fs_autoclose int fd = -1;

    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (g_hash_table_contains(sink->chosen, entry))
            g_string_append_printf(text, "%d;\n", entry->id);
    }
    sink->list = temp_file("list", &fd, error);
    return sink->list && fs_write_all(fd, text->str, text->len, sink->list, error);
}

static void note(const RestoreSink *sink, const char *text)
{
    if (sink->options.note)
        sink->options.note(text, sink->options.user);
}

static bool choose(RestoreSink *sink, GError **error)
{
    g_autoptr(GHashTable) present = NULL;
    g_autoptr(GPtrArray) left_out = NULL;
    PgSelection selection = { .tables = sink->tables, .schemas = sink->schemas };
    unsigned objects;

    if (!sink->tables && !sink->schemas)
        return true;
    present = pg_target_schemas(sink->target, error);
    if (!present || !pg_target_count(sink->target, &objects, error))
        return false;
    selection.with_needed = objects == 0;
    selection.present_schemas = present;
    if (!pg_select(sink->dump, &selection, &sink->chosen, &left_out, error))
        return false;
    for (guint i = 0; i < left_out->len; i++) {
        g_autofree char *text = g_strdup_printf("left out, its other side is not restored: %s",
                                                (const char *)left_out->pdata[i]);

        note(sink, text);
    }
    return sink->preview || write_list(sink, error);
}

/* Ends the reading of the dump. */
static bool looked(RestoreSink *sink, GError **error)
{
    sink->preview->absent = pg_target_is_absent(sink->target);
    if (pg_target_count(sink->target, &sink->preview->objects, error))
        g_set_error_literal(error, BS_ERROR, BS_ERROR_SOFT_SKIP, "only looked at");
    return false;
}

static GPtrArray *restore_command(const RestoreSink *sink)
{
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(argv, g_strdup(sink->tool->path));
    g_ptr_array_add(argv, g_strdup("--exit-on-error"));
    g_ptr_array_add(argv, g_strdup("--no-password"));
    g_ptr_array_add(argv, g_strdup_printf("--dbname=%s", pg_access_conninfo(sink->access)));
    if (sink->options.clean) {
        g_ptr_array_add(argv, g_strdup("--clean"));
        g_ptr_array_add(argv, g_strdup("--if-exists"));
    }
    if (sink->options.no_owner)
        g_ptr_array_add(argv, g_strdup("--no-owner"));
    if (sink->no_acl)
        g_ptr_array_add(argv, g_strdup("--no-privileges"));
    if (sink->list)
        g_ptr_array_add(argv, g_strdup_printf("--use-list=%s", sink->list));
    if (sink->spool) {
        g_ptr_array_add(argv, g_strdup_printf("--jobs=%u", sink->jobs));
        g_ptr_array_add(argv, g_strdup(sink->spool));
    } else {
        g_ptr_array_add(argv, g_strdup("--single-transaction"));
    }
    g_ptr_array_add(argv, NULL);
    return argv;
}

static bool spawn_restore(RestoreSink *sink, GError **error)
{
    g_autoptr(GPtrArray) argv = restore_command(sink);

    sink->child = child_spawn((const char *const *)argv->pdata, pg_access_environ(sink->access),
                              sink->spool ? 0 : CHILD_STDIN_PIPE, error);
    if (sink->child && !sink->spool)
        (void)fcntl(child_stdin(sink->child), F_SETPIPE_SZ, PIPE_LEN);
    return sink->child != NULL;
}

/* The table of contents has passed: all that can be known is looked at, then pg_restore starts. */
static bool start(RestoreSink *sink, GError **error)
{
    const PgDumpHeader *header = pgdump_header(sink->dump);
    int version = header->dump_version ? pg_version_parse(header->dump_version) : 0;

    if (!pg_url_database(sink->url)) {
        PgUrl *server = sink->url;

        sink->url = pg_url_with_database(server, header->database ? header->database : "");
        pg_url_free(server);
    }
    sink->tool = pg_tool_find("pg_restore", version, error);
    sink->target = sink->tool ? pg_target_open(sink->url, sink->dump, &sink->options, error) : NULL;
    if (!sink->target || !choose(sink, error) ||
        !pg_target_check_room(sink->target, sink->chosen, error))
        return false;
    if (sink->preview)
        return looked(sink, error);
    sink->access = pg_access_new(sink->url, error);
    if (!sink->access)
        return false;
    if (sink->jobs <= 1)
        return spawn_restore(sink, error);
    sink->spool = temp_file("spool", &sink->spool_fd, error);
    return sink->spool != NULL;
}

/* Waits for its end. What a choice needs from elsewhere is brought into an empty database alone. */
static bool wait_restore(RestoreSink *sink, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (child_wait(sink->child, sink->cancel, NULL, &failure))
        return true;
    if (sink->chosen && strstr(failure->message, "does not exist"))
        g_set_error(error, failure->domain, failure->code,
                    "%s; only what is chosen is brought into a database that holds something: "
                    "create there first what it needs (a schema, a type, a function), or restore "
                    "into a new database and take it from there",
                    g_strchomp(failure->message));
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* ---- the stream ---- */

static bool hand_over(RestoreSink *sink, const void *data, size_t len, GError **error)
{
    if (sink->spool)
        return fs_write_all(sink->spool_fd, data, len, sink->spool, error);
    if (sink->deaf)
        return true;
    if (!child_write(sink->child, sink->cancel, data, len, &sink->deaf, error))
        return false;
    // with a choice it may just have all it wants; otherwise it says why it left
    return !sink->deaf || sink->chosen || wait_restore(sink, error);
}

/* All but the last byte. */
static bool pass_on(RestoreSink *sink, const void *data, size_t len, GError **error)
{
    const uint8_t *bytes = data;

    if (!hand_over(sink, sink->waiting->data, sink->waiting->len, error) ||
        !hand_over(sink, bytes, len - 1, error))
        return false;
    g_byte_array_set_size(sink->waiting, 0);
    g_byte_array_append(sink->waiting, bytes + len - 1, 1);
    return true;
}

static bool read_on(RestoreSink *sink, const void *data, size_t len, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (pgdump_feed(sink->dump, data, len, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_VERSION))
        g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                    "%s; update Backstay, or hand the file to pg_restore of that release "
                    "(backstay dump SNAPSHOT FILE | pg_restore ...)",
                    failure->message);
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool take(RestoreSink *sink, const void *data, size_t len, GError **error)
{
    bool started = pgdump_toc_complete(sink->dump);
    g_autoptr(GByteArray) first = NULL;

    if (len == 0)
        return true;
    if (!cancel_check(sink->cancel, error) || !read_on(sink, data, len, error))
        return false;
    hash_update(sink->hash, data, len);
    sink->position += len;
    if (started)
        return pass_on(sink, data, len, error);
    g_byte_array_append(sink->waiting, data, (guint)len);
    if (!pgdump_toc_complete(sink->dump))
        return true;
    first = g_steal_pointer(&sink->waiting);
    sink->waiting = g_byte_array_new();
    if (sink->options.clean)
        pg_clean_prepare(sink->dump, first->data, first->len);
    if (sink->jobs > 1)
        first = pg_locks_complete(sink->dump, g_steal_pointer(&first));
    return start(sink, error) && pass_on(sink, first->data, first->len, error);
}

static bool take_zeros(RestoreSink *sink, uint64_t until, GError **error)
{
    static const uint8_t zeros[ZEROS_LEN];

    while (sink->position < until)
        if (!take(sink, zeros, (size_t)MIN(until - sink->position, ZEROS_LEN), error))
            return false;
    return true;
}

static bool restore_begin(Sink *base, const Entry *entry, void **ret_handle, GError **error)
{
    RestoreSink *sink = (RestoreSink *)base;

    *ret_handle = NULL;
    if (S_ISDIR(entry->node->mode))
        return true;
    if (!S_ISREG(entry->node->mode) || sink->opened) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "one dump at a time can be restored into a database, and %s is another file",
                    entry->path);
        return false;
    }
    sink->opened = true;
    *ret_handle = sink;
    return true;
}

static bool restore_write(Sink *base, void *handle, uint64_t offset, const void *data, size_t len,
                          GError **error)
{
    RestoreSink *sink = (RestoreSink *)base;

    g_assert(handle == sink && offset >= sink->position);
    return take_zeros(sink, offset, error) && take(sink, data, len, error);
}

/* The bytes were those that the backup saw. */
static bool check_recorded(RestoreSink *sink, GError **error)
{
    const char *want = json_string_value(json_object_get(sink->options.recorded, "sha256"));
    Id sha256;

    hash_final(sink->hash, &sha256);
    if (!want || strcmp(want, id_hex(&sha256).text) == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "the dump is not the one that the manifest records (SHA-256 %s instead of %s)",
                id_hex(&sha256).text, want);
    return false;
}

static bool restore_end(Sink *base, void *handle, const Node *node, GError **error)
{
    RestoreSink *sink = (RestoreSink *)base;

    if (!handle)
        return true;
    if (node && !take_zeros(sink, node->size, error))
        return false;
    sink->ended = pgdump_finish(sink->dump, error) && check_recorded(sink, error);
    return sink->ended;
}

static void restore_abandon(Sink *base, void *handle)
{
    RestoreSink *sink = (RestoreSink *)base;

    if (handle)
        sink->ended = false;
}

static bool run_to_end(RestoreSink *sink, GError **error)
{
    if (!hand_over(sink, sink->waiting->data, sink->waiting->len, error))
        return false;
    if (sink->spool && !spawn_restore(sink, error))
        return false;
    child_close_stdin(sink->child);
    return wait_restore(sink, error);
}

static bool restore_finish(Sink *base, GError **error)
{
    RestoreSink *sink = (RestoreSink *)base;

    if (!sink->ended) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "no whole dump came to be restored");
        return false;
    }
    if (!run_to_end(sink, error))
        return false;
    // it is restored; what is found from here on is for the user to judge
    pg_target_keep(sink->target);
    return pg_target_compare(sink->target, sink->chosen, error) &&
           pg_target_apply_settings(sink->target, error) &&
           pg_target_analyze(sink->target, sink->chosen, error);
}

static void remove_file(char *path)
{
    if (path)
        (void)unlink(path);
    g_free(path);
}

static void restore_free(Sink *base)
{
    RestoreSink *sink = (RestoreSink *)base;

    // pg_restore goes first: it would keep a database that was made from being dropped
    child_free(sink->child);
    pg_target_free(sink->target);
    pg_access_free(sink->access);
    pg_tool_free(sink->tool);
    g_clear_pointer(&sink->chosen, g_hash_table_unref);
    pgdump_free(sink->dump);
    hash_free(sink->hash);
    g_clear_pointer(&sink->waiting, g_byte_array_unref);
    fs_clear_fd(&sink->spool_fd);
    remove_file(sink->spool);
    remove_file(sink->list);
    pg_url_free(sink->url);
    g_strfreev(sink->tables);
    g_strfreev(sink->schemas);
    g_free(sink);
}

static const SinkOps restore_ops = {
    .name = "pg_restore",
    .begin = restore_begin,
    .write = restore_write,
    .end = restore_end,
    .abandon = restore_abandon,
    .finish = restore_finish,
    .free = restore_free,
};

Sink *pg_restore_sink_new(const PgRestoreRequest *request, GError **error)
{
    PgUrl *url = pg_url_parse(request->url, error);
    RestoreSink *sink;

    if (!url)
        return NULL;
    sink = g_new0(RestoreSink, 1);
    sink->base.ops = &restore_ops;
    sink->url = url;
    sink->options = (PgTargetOptions){
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
    sink->no_acl = request->no_acl;
    sink->jobs = request->jobs;
    sink->preview = request->preview;
    sink->tables = request->tables && *request->tables ? g_strdupv(request->tables) : NULL;
    sink->schemas = request->schemas && *request->schemas ? g_strdupv(request->schemas) : NULL;
    sink->cancel = request->cancel;
    sink->dump = pgdump_new();
    sink->hash = hash_new();
    sink->waiting = g_byte_array_new();
    sink->spool_fd = -1;
    return &sink->base;
}
