/* SPDX-License-Identifier: Apache-2.0 */
#include "source/sqlite.h"

#include "base/error.h"
#include "base/fs.h"
#include "codec/hash.h"
#include "pg/url.h"
#include "source/pgcluster.h"
#include "source/pgfacts.h"
#include "source/pgpush.h"
#include "source/sqlitecopy.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>

#define READ_LEN (1u << 20)

typedef struct {
    Source base;
    char *path;
    size_t parent_cut; /* 0: not known */
} SqliteSource;

static bool push_bytes(PgPush *push, int fd, void *handle, Hash *hash, uint64_t *ret_size,
                       GError **error)
{
    uint64_t size = 0;
    size_t n;

    do {
        if (!cancel_check(push->run->cancel, error) ||
            !fs_read_full(fd, push->buffer, READ_LEN, &n, "the copy", error))
            return false;
        hash_update(hash, push->buffer, n);
        if (n > 0 && !sink_write(push->sink, handle, size, push->buffer, n, error))
            return false;
        size += n;
    } while (n == READ_LEN);
    *ret_size = size;
    return true;
}

/* Of whole pages, and as the last time if that still fits. */
static bool choose_cut(const SqliteSource *source, const SqliteCopy *copy, int fd, size_t *ret_cut,
                       GError **error)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        bs_error_errno(error, errno, "the copy");
        return false;
    }
    *ret_cut =
        MAX(pgcluster_cut((uint64_t)st.st_size, source->parent_cut), sqlite_copy_page_size(copy));
    return true;
}

static bool push_copy(SqliteSource *source, PgPush *push, SqliteCopy *copy, json_t *facts,
                      GError **error)
{
    fs_autoclose int fd = open(sqlite_copy_path(copy), O_RDONLY | O_CLOEXEC);
    g_autofree char *name = g_path_get_basename(source->path);
    g_autoptr(Hash) hash = hash_new();
    uint64_t size;
    void *handle;
    Id sha256;

    if (fd < 0) {
        bs_error_errno(error, errno, "the copy");
        return false;
    }
    if (!choose_cut(source, copy, fd, &push->cut, error) ||
        !pg_push_begin(push, name, S_IFREG | 0600, &handle, error))
        return false;
    if (!push_bytes(push, fd, handle, hash, &size, error)) {
        sink_abandon(push->sink, handle);
        return false;
    }
    hash_final(hash, &sha256);
    pg_facts_add_file(facts, name, size, &sha256);
    g_ptr_array_add(source->base.tags, g_strdup_printf("cut=%zuk", push->cut >> 10));
    push->cut = 0;
    return pg_push_end_file(push, handle, name, size, error);
}

static bool push_manifest(PgPush *push, json_t *manifest, GError **error)
{
    static const char name[] = "manifest.json";
    g_autofree char *text = NULL;
    void *handle;
    size_t len;

    (void)json_object_set_new(manifest, "finished", pg_facts_time(clock_now()));
    text = json_dumps(manifest, JSON_INDENT(2) | JSON_SORT_KEYS);
    g_assert(text);
    len = strlen(text);
    if (!pg_push_begin(push, name, S_IFREG | 0600, &handle, error))
        return false;
    if (!sink_write(push->sink, handle, 0, text, len, error)) {
        sink_abandon(push->sink, handle);
        return false;
    }
    return pg_push_end_file(push, handle, name, len, error);
}

static bool push_all(SqliteSource *source, PgPush *push, json_t *manifest, GError **error)
{
    json_t *facts = json_object();
    g_autoptr(SqliteCopy) copy = NULL;
    void *top;

    (void)json_object_set_new(manifest, "database", facts);
    copy = sqlite_copy_new(source->path, g_get_tmp_dir(), push->run->progress, push->run->cancel,
                           error);
    if (!copy || !sqlite_copy_check(copy, facts, error) ||
        !pg_push_begin(push, NULL, S_IFDIR | 0700, &top, error))
        return false;
    if (sqlite_copy_violations(copy) > 0)
        g_ptr_array_add(source->base.notes,
                        g_strdup_printf("%" G_GINT64_FORMAT " rows of the database refer to rows "
                                        "that it does not have (PRAGMA foreign_key_check)",
                                        sqlite_copy_violations(copy)));
    if (!push_copy(source, push, copy, facts, error) || !push_manifest(push, manifest, error)) {
        sink_abandon(push->sink, top);
        return false;
    }
    return sink_end(push->sink, top, NULL, error);
}

static json_t *describe_source(const SqliteSource *source)
{
    json_t *facts = json_object();

    (void)json_object_set_new(facts, "kind", json_string("sqlite"));
    (void)json_object_set_new(facts, "name", pg_facts_text(source->base.name, NULL));
    (void)json_object_set_new(facts, "path", pg_facts_text(source->path, NULL));
    return facts;
}

static bool sqlite_backup(Source *base, Sink *sink, const SourceRun *run, GError **error)
{
    SqliteSource *source = (SqliteSource *)base;
    json_t *manifest = json_object();
    PgPush push;
    bool ok;

    pg_push_init(&push, base->name, sink, run);
    (void)json_object_set_new(manifest, "manifest_version", json_integer(1));
    (void)json_object_set_new(manifest, "backstay_version", json_string(BS_VERSION));
    (void)json_object_set_new(manifest, "sqlite_version", json_string(sqlite3_libversion()));
    (void)json_object_set_new(manifest, "source", describe_source(source));
    (void)json_object_set_new(manifest, "started", pg_facts_time(push.time));
    ok = push_all(source, &push, manifest, error);
    json_decref(manifest);
    pg_push_done(&push);
    if (!ok)
        g_prefix_error(error, "%s: ", base->name);
    return ok;
}

static void sqlite_inherit(Source *base, const SourceParent *parent)
{
    ((SqliteSource *)base)->parent_cut = pgcluster_parent_cut(parent->tags);
}

static void sqlite_free(Source *base)
{
    SqliteSource *source = (SqliteSource *)base;

    g_free(source->path);
    g_free(source);
}

static const SourceOps sqlite_ops = {
    .kind = "sqlite",
    .inherit = sqlite_inherit,
    .backup = sqlite_backup,
    .free = sqlite_free,
};

Source *sqlite_source_new(const char *path, GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autofree char *plain = NULL;
    SqliteSource *source;

    if (!*path || strcmp(absolute, "/") == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "no path of a database; write sqlite:/path/of/app.db");
        return NULL;
    }
    // two databases of the same name must not become one source
    plain = g_strconcat("sqlite-", absolute + 1, NULL);
    source = g_new0(SqliteSource, 1);
    source_init(&source->base, &sqlite_ops, pg_escape_name(plain));
    source->path = g_steal_pointer(&absolute);
    return &source->base;
}
