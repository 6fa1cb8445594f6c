/* SPDX-License-Identifier: Apache-2.0 */
#include "source/sqlite.h"

#include "base/error.h"
#include "pg/url.h"
#include "source/pgcluster.h"
#include "source/pgfacts.h"
#include "source/pgpush.h"
#include "source/sqlitepush.h"
#include "source/sqlitequery.h"

#include <sqlite3.h>
#include <string.h>

typedef struct {
    Source base;
    char *path;
    size_t parent_cut; /* 0: not known */
    SqliteCopy *held;  /* of one moment; NULL: of that of the backup */
} SqliteSource;

/* What the operator wants to know is asked of the copy: it is of the same moment. */
static bool answer(SqliteSource *source, const SourceQuery *query, const char *copy,
                   const Cancel *cancel, GError **error)
{
    SqliteAsking asking = { .path = copy,
                            .name = source->path,
                            .alone = true,
                            .timeout_ms = query->timeout_ms,
                            .cancel = cancel };
    g_autoptr(GError) failure = NULL;
    g_autofree char *value = NULL, *line = NULL;

    if (sqlite_ask(&asking, query->sql, &value, &failure))
        line = value ? source_fact_line(value) : NULL;
    if (!failure && source_check_fact(query->name, line, &failure)) {
        source_set_fact(&source->base, query->name, line);
        return true;
    }
    g_prefix_error(&failure, "fact %s: ", query->name);
    if (query->required || !cancel_check(cancel, NULL)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    g_ptr_array_add(source->base.notes, g_strdup(failure->message));
    return true;
}

static bool answer_all(SqliteSource *source, const PgPush *push, const SqliteCopy *copy,
                       GError **error)
{
    const GPtrArray *queries = source->base.queries;

    for (guint i = 0; queries && i < queries->len; i++)
        if (!answer(source, queries->pdata[i], sqlite_copy_path(copy), push->run->cancel, error))
            return false;
    return true;
}

static bool push_copy(SqliteSource *source, PgPush *push, SqliteCopy *copy, json_t *facts,
                      GError **error)
{
    g_autofree char *name = g_path_get_basename(source->path);

    return sqlite_push(&source->base, push, copy, name, source->parent_cut, facts, error);
}

static SqliteCopy *make_copy(SqliteSource *source, const SourceRun *run, GError **error)
{
    g_autoptr(SqliteCopy) held = g_steal_pointer(&source->held);

    if (!held)
        return sqlite_copy_new(source->path, g_get_tmp_dir(), run->progress, run->cancel, error);
    return sqlite_copy_held(held, run->progress, error) ? g_steal_pointer(&held) : NULL;
}

static bool push_all(SqliteSource *source, PgPush *push, json_t *manifest, GError **error)
{
    json_t *facts = json_object();
    g_autoptr(SqliteCopy) copy = NULL;
    void *top;

    (void)json_object_set_new(manifest, "database", facts);
    copy = make_copy(source, push->run, error);
    if (!copy || !sqlite_copy_check(copy, facts, error) || !answer_all(source, push, copy, error) ||
        !pg_push_begin(push, NULL, S_IFDIR | 0700, &top, error))
        return false;
    source_add_facts(&source->base, manifest);
    if (!push_copy(source, push, copy, facts, error) || !pg_push_manifest(push, manifest, error)) {
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

static bool sqlite_open(Source *base, const Cancel *cancel, SourceHold *ret_hold, GError **error)
{
    SqliteSource *source = (SqliteSource *)base;

    source->held = sqlite_copy_hold(source->path, g_get_tmp_dir(), NULL, cancel, error);
    *ret_hold = SOURCE_MOMENT;
    return source->held != NULL;
}

static void sqlite_free(Source *base)
{
    SqliteSource *source = (SqliteSource *)base;

    sqlite_copy_free(source->held);
    g_free(source->path);
    g_free(source);
}

static const SourceOps sqlite_ops = {
    .kind = "sqlite",
    .open = sqlite_open,
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
