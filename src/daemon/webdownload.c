/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webdownload.h"

#include "base/child.h"
#include "base/error.h"
#include "daemon/backuprow.h"
#include "daemon/webcarrier.h"
#include "daemon/webproblem.h"
#include "daemon/webruns.h"
#include <string.h>

#define LIST_MAX (256u * 1024)

static const char *const formats[] = { "dump",   "sql",     "sql.gz", "sql.zst", "tar",
                                       "tar.gz", "tar.zst", "rdb",    "rdb.gz",  "rdb.zst",
                                       "db",     "db.gz",   "db.zst", "app",     NULL };

const ShapeField download_query[] = {
    { "source", SHAPE_TEXT, 0, "which of its snapshots; needed when there are several", .min = 1,
      .max = 128 },
    { "path", SHAPE_TEXT, 0, "one file of it; without: all of it as tar", .min = 1, .max = 4096 },
    { "format", SHAPE_TEXT, 0,
      "a portable file instead, as export writes it; app: one of all its snapshots",
      .words = formats },
    { "database", SHAPE_TEXT, 0, "which one of several, with format", .min = 1, .max = 256 },
    { NULL },
};
const ShapeField manifest_query[] = {
    { "source", SHAPE_TEXT, 0, "which of its snapshots; needed when there are several", .min = 1,
      .max = 128 },
    { NULL },
};

/* ---- what is asked for ---- */

static char **environment_of(const WebCall *call)
{
    char **envp = g_get_environ();

    // the child reads the same file as we have
    if (call->web->configuration->path)
        envp = g_environ_setenv(envp, "BACKSTAY_CONFIG", call->web->configuration->path, TRUE);
    return envp;
}

static GPtrArray *arguments(const WebCall *call, const RunRow *row)
{
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(argv, g_strdup(call->web->program));
    g_ptr_array_add(argv, g_strdup("-r"));
    g_ptr_array_add(argv, g_strdup(row->repository));
    return argv;
}

static bool refuse_secret(const char *what, GError **error)
{
    return web_refuse(error, 403, "secret",
                      "%s is marked secret; only an administrator downloads it", what);
}

/* Takes argv, and runs it. */
static bool carry_out(const WebCall *call, GPtrArray *argv, WebCarry what, WebAnswer *answer,
                      GError **error)
{
    g_auto(GStrv) envp = environment_of(call);
    g_autoptr(GError) failure = NULL;
    bool ok;

    g_ptr_array_add(argv, NULL);
    what.argv = (char **)argv->pdata;
    what.envp = envp;
    ok = web_carry(call->web->downloads, &what, &answer->pipe, &failure);
    g_ptr_array_unref(argv);
    if (ok)
        return true;
    // its status is the same for every kind of failure, its words are ours
    if (strstr(failure->message, "marked secret"))
        return refuse_secret("the snapshot", error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* The command refuses what is marked secret, also of a source that is no longer configured. */
static void reveal_to_admin(const WebCall *call, GPtrArray *argv)
{
    if (call->who.role >= ROLE_ADMIN)
        g_ptr_array_add(argv, g_strdup("--reveal"));
}

/* len bytes of a path in the snapshot, from first on; len G_MAXUINT64: all there are. */
static bool carry(const WebCall *call, const RunRow *row, const char *snapshot, const char *path,
                  WebCarry what, WebAnswer *answer, GError **error)
{
    GPtrArray *argv = arguments(call, row);

    g_ptr_array_add(argv, g_strdup("dump"));
    reveal_to_admin(call, argv);
    g_ptr_array_add(argv, g_strdup(snapshot));
    g_ptr_array_add(argv, g_strdup(path));
    return carry_out(call, argv, what, answer, error);
}

#define ALL_OF_IT ((WebCarry){ .len = G_MAXUINT64, .whole = true })

static bool refuse_path(GError **error)
{
    return web_refuse(error, 404, "not-found", "there is no such file in the snapshot");
}

/* Of a file in the snapshot, as `ls` tells it. */
static bool find_size(const WebCall *call, const RunRow *row, const char *snapshot,
                      const char *path, uint64_t *ret_size, GError **error)
{
    g_autoptr(GPtrArray) argv = arguments(call, row);
    g_auto(GStrv) envp = environment_of(call), lines = NULL;
    g_autoptr(GBytes) output = NULL;
    g_autoptr(GError) failure = NULL;
    const char *const more[] = { "--json", "ls", snapshot, path, NULL };
    g_autofree char *text = NULL;
    bool found = false;

    for (guint i = 0; i < G_N_ELEMENTS(more); i++)
        g_ptr_array_add(argv, g_strdup(more[i]));
    if (!child_output((const char *const *)argv->pdata, (const char *const *)envp, LIST_MAX,
                      &output, &failure)) {
        if (strstr(failure->message, "not in the snapshot"))
            return refuse_path(error);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    text = g_strndup(g_bytes_get_data(output, NULL), g_bytes_get_size(output));
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line && !found; line++) {
        json_t *node = json_loads(*line, 0, NULL);

        found = node && g_strcmp0(shape_text(node, "path"), path) == 0 &&
                g_strcmp0(shape_text(node, "type"), "file") == 0;
        if (found)
            *ret_size = (uint64_t)shape_int(node, "size", 0);
        json_decref(node);
    }
    return found || refuse_path(error);
}

/* RFC 6266 and 8187: the plain name for old clients, the whole one for the rest. */
static void name_file(WebAnswer *answer, const char *name)
{
    g_autofree char *escaped = g_uri_escape_string(name, NULL, FALSE);
    g_autofree char *plain = g_strdup(name), *value = NULL;

    for (char *at = plain; *at; at++)
        if (!g_ascii_isalnum(*at) && !strchr("._-", *at))
            *at = '_';
    value = g_strdup_printf("attachment; filename=\"%s\"; filename*=UTF-8''%s", plain, escaped);
    web_answer_header(answer, "Content-Disposition", value);
}

static bool download_tar(WebCall *call, const RunRow *row, const char *snapshot, const char *source,
                         WebAnswer *answer, GError **error)
{
    g_autofree char *name = g_strdup_printf("%s-%.8s.tar", source, snapshot);

    answer->status = 200;
    web_answer_header(answer, "Content-Type", "application/x-tar");
    name_file(answer, name);
    return call->request->head || carry(call, row, snapshot, "/", ALL_OF_IT, answer, error);
}

static bool download_file(WebCall *call, const RunRow *row, const char *snapshot, const char *path,
                          WebAnswer *answer, GError **error)
{
    g_autofree char *name = g_path_get_basename(path), *tag = g_strdup_printf("\"%s\"", snapshot);
    const char *unless = web_request_header(call->request, "if-range");
    uint64_t size = 0, first = 0, len;
    bool some = false;

    if (!find_size(call, row, snapshot, path, &size, error))
        return false;
    len = size;
    if ((!unless || strcmp(unless, tag) == 0) &&
        !web_range_parse(web_request_header(call->request, "range"), size, &some, &first, &len,
                         error))
        return false;
    answer->status = some ? 206 : 200;
    web_answer_header(answer, "Content-Type", "application/octet-stream");
    web_answer_header(answer, "Accept-Ranges", "bytes");
    web_answer_header(answer, "ETag", tag); // a snapshot never changes
    name_file(answer, name);
    if (some) {
        g_autofree char *range =
            g_strdup_printf("bytes %" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT,
                            first, first + len - 1, size);

        web_answer_header(answer, "Content-Range", range);
    }
    answer->len = (int64_t)len;
    if (call->request->head || len == 0)
        return true;
    return carry(call, row, snapshot, path, (WebCarry){ .skip = first, .len = len, .whole = !some },
                 answer, error);
}

/* What the configuration marks as secret is for those who could read it on the machine, too. */
static bool check_secret(const WebCall *call, const char *source, GError **error)
{
    const SourceConfig *config = configuration_source(call->web->configuration, source);
    g_autofree char *what = g_strconcat("source ", source, NULL);

    if (!config || !config->secret || call->who.role >= ROLE_ADMIN)
        return true;
    return refuse_secret(what, error);
}

/* What the command says of the snapshot and of what is wanted is for who asked; anything else is
 * for the log. */
static bool explain(GError *failure, GError **error)
{
    static const char *const of_them[] = { "choose with --database", "take it with --format",
                                           "so it has no ",          "the snapshot has no ",
                                           "the snapshot holds ",    " holds no database" };
    const char *words = strstr(failure->message, ": backstay: ");

    for (gsize i = 0; words && i < G_N_ELEMENTS(of_them); i++)
        if (strstr(words, of_them[i])) {
            g_autofree char *text = g_strdup(words + strlen(": backstay: "));

            g_error_free(failure);
            return web_refuse(error, 409, "refused", "%s", text);
        }
    g_propagate_error(error, failure);
    return false;
}

/* snapshot: NULL, all of the run. */
static bool carry_export(const WebCall *call, const RunRow *row, const BackupSnapshot *snapshot,
                         const char *format, WebAnswer *answer, GError **error)
{
    GPtrArray *argv = arguments(call, row);
    const char *database = web_query(call, "database");
    GError *failure = NULL;

    g_ptr_array_add(argv, g_strdup("export"));
    g_ptr_array_add(argv, g_strdup("--format"));
    g_ptr_array_add(argv, g_strdup(format));
    if (database)
        g_ptr_array_add(argv, g_strconcat("--database=", database, NULL));
    reveal_to_admin(call, argv);
    if (!snapshot)
        g_ptr_array_add(argv, g_strconcat("--run=", row->id, NULL));
    else
        g_ptr_array_add(argv, g_strdup(snapshot->id));
    return carry_out(call, argv, ALL_OF_IT, answer, &failure) || explain(failure, error);
}

static char *moment_of(const RunRow *row)
{
    g_autoptr(GDateTime) at =
        g_date_time_new_from_unix_utc((row->started_at ? row->started_at : row->created_at) / 1000);

    return g_date_time_format(at, "%Y%m%d_%H%M%S");
}

static bool download_export(WebCall *call, const RunRow *row, const char *format, WebAnswer *answer,
                            GError **error)
{
    const char *database = web_query(call, "database");
    bool app = strcmp(format, "app") == 0;
    BackupSnapshot snapshot = { 0 };
    g_autofree char *name = NULL, *moment = moment_of(row);

    if (web_query(call, "path"))
        return web_refuse(error, 400, "query", "path is of one file, format of all; name one");
    if (app && (database || web_query(call, "source")))
        return web_refuse(error, 400, "query", "app is of all sources and databases");
    if (!app && (!backup_row_snapshot(row, web_query(call, "source"), &snapshot, error) ||
                 !check_secret(call, snapshot.source, error)))
        return false;
    name = app ? g_strdup_printf("%s_backup_%s.tar.gz",
                                 row->schedule_name ? row->schedule_name : "backstay", moment)
               : g_strdup_printf("%s_%s.%s", database ? database : snapshot.source, moment, format);
    answer->status = 200;
    web_answer_header(answer, "Content-Type", "application/octet-stream");
    name_file(answer, name);
    return call->request->head ||
           carry_export(call, row, app ? NULL : &snapshot, format, answer, error);
}

bool web_download(WebCall *call, WebAnswer *answer, GError **error)
{
    const char *path = web_query(call, "path"), *format = web_query(call, "format");
    BackupSnapshot snapshot = { 0 };
    g_auto(RunRow) row = { 0 };

    if (!web_find_backup(call, &row, error))
        return false;
    if (format)
        return download_export(call, &row, format, answer, error);
    if (web_query(call, "database"))
        return web_refuse(error, 400, "query", "database goes with format");
    if (!backup_row_snapshot(&row, web_query(call, "source"), &snapshot, error))
        return false;
    if (path && *path != '/')
        return web_refuse(error, 400, "query", "path must begin with '/'");
    if (!check_secret(call, snapshot.source, error))
        return false;
    return path ? download_file(call, &row, snapshot.id, path, answer, error)
                : download_tar(call, &row, snapshot.id, snapshot.source, answer, error);
}

bool web_manifest(WebCall *call, WebAnswer *answer, GError **error)
{
    BackupSnapshot snapshot = { 0 };
    g_auto(RunRow) row = { 0 };
    GPtrArray *argv;

    if (!web_find_backup(call, &row, error) ||
        !backup_row_snapshot(&row, web_query(call, "source"), &snapshot, error))
        return false;
    // what was imported has one, whatever it is
    if (strcmp(row.kind, "backup") == 0 && g_strcmp0(snapshot.kind, "files") == 0)
        return web_refuse(error, 404, "not-found", "a snapshot of files has no manifest");
    answer->status = 200;
    web_answer_header(answer, "Content-Type", "application/json");
    if (call->request->head)
        return true;
    argv = arguments(call, &row);
    g_ptr_array_add(argv, g_strdup("dump"));
    g_ptr_array_add(argv, g_strdup("--manifest"));
    g_ptr_array_add(argv, g_strdup(snapshot.id));
    return carry_out(call, argv, ALL_OF_IT, answer, error);
}

/* ---- ranges ---- */

bool web_range_parse(const char *header, uint64_t size, bool *ret_some, uint64_t *ret_first,
                     uint64_t *ret_len, GError **error)
{
    g_auto(GStrv) ends = NULL;
    guint64 first = 0, last = G_MAXUINT64;

    *ret_some = false;
    // another unit, or several at once: allowed to be passed over
    if (!header || !g_str_has_prefix(header, "bytes=") || strchr(header, ','))
        return true;
    ends = g_strsplit(header + 6, "-", 2);
    if (g_strv_length(ends) != 2 || (!*ends[0] && !*ends[1]) ||
        (*ends[0] && !g_ascii_string_to_unsigned(ends[0], 10, 0, G_MAXINT64, &first, NULL)) ||
        (*ends[1] && !g_ascii_string_to_unsigned(ends[1], 10, 0, G_MAXINT64, &last, NULL)) ||
        (*ends[0] && first > last))
        return true;
    if (!*ends[0]) { // the last so many bytes
        if (last == 0)
            first = size;
        else
            first = size > last ? size - last : 0;
        last = G_MAXUINT64;
    }
    if (first >= size)
        return web_refuse(error, 416, "range", "the file has %" G_GUINT64_FORMAT " bytes", size);
    *ret_some = true;
    *ret_first = first;
    *ret_len = MIN(last, size - 1) - first + 1;
    return true;
}
