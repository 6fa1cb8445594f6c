/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdir.h"
#include "base/error.h"
#include "pg/walname.h"
#include "source/pgcluster.h"
#include "source/pgclusterfacts.h"
#include "source/pgdirmanifest.h"
#include "source/pgdirrun.h"
#include <string.h>

#define PARENT_MAX ((size_t)64 << 20) /* a file takes about 200 bytes in its manifest */

typedef struct {
    Source base;
    char *directory;
    PgDirPlan plan;
} PgDirSource;

/* ---- what is said of it ---- */

/* The snapshot is made all the same: a copy from before repair is better than none. */
static void report_damage(PgDirRun *run)
{
    for (guint i = 0; i < run->damage->len; i++) {
        const PgDirDamage *one = &g_array_index(run->damage, PgDirDamage, i);
        g_autoptr(GError) problem = pg_dir_damage_error(one);

        run->source_run->problem(one->path, problem, run->source_run->user);
    }
}

static void count(const PgDirRun *run, PgClusterFacts *facts)
{
    size_t n;
    const PgDirLine *const *lines = pg_dir_read_lines(run->read, &n);

    facts->n_files = n;
    for (size_t i = 0; i < n; i++)
        facts->n_bytes += lines[i]->size;
}

static bool push_facts(PgDirRun *run, GError **error)
{
    PgConn *conn = run->server ? pg_dir_server_conn(run->server) : NULL;
    g_autofree char *place = g_strconcat("pgcluster:", run->plan.directory, NULL);
    g_autofree char *release = g_strdup_printf("%d", run->control.release);
    PgClusterFacts facts = {
        .name = run->plan.name,
        .url = place,
        .version = conn ? pg_conn_version(conn) : run->control.release * 10000,
        .version_text = conn ? pg_conn_version_text(conn) : release,
        .system_id = run->control.system_id,
        .segment_size = run->control.wal_segment_size,
        .start = { run->stop.start, run->stop.timeline },
        .stop = { run->stop.stop, run->stop.timeline },
        .tablespaces = pg_dir_spaces_list(run->spaces),
        .started = run->started,
        .standby = pg_dir_run_has(run, "standby.signal"),
        .own_config = pg_dir_run_has(run, "postgresql.conf"),
        .wal_held = run->wal_held,
        .has_config = run->config != NULL,
        .no_config = run->no_config,
        .directory = pg_dir_describe(&run->circumstances, run->size.kept, run->damage),
    };
    g_autofree char *text = NULL;
    json_t *manifest;

    count(run, &facts);
    manifest = pg_cluster_manifest(&facts);
    source_add_facts(run->plan.source, manifest);
    text = json_dumps(manifest, JSON_INDENT(2) | JSON_SORT_KEYS);
    json_decref(manifest);
    json_decref(facts.directory);
    g_assert(text);
    return pg_dir_run_add(run, "manifest.json", text, strlen(text), error);
}

static bool add_config(void *user, const char *path, const void *data, size_t len, GError **error)
{
    PgDirRun *run = user;

    return data ? pg_dir_run_add(run, path, data, len, error)
                : pg_dir_run_add_directory(run, path, error);
}

static void add_tags(const PgDirRun *run, GPtrArray *tags)
{
    unsigned damaged = 0;

    for (guint i = 0; i < run->damage->len; i++)
        damaged += g_array_index(run->damage, PgDirDamage, i).n;
    g_ptr_array_add(tags, g_strdup_printf("system-id=%" G_GUINT64_FORMAT, run->control.system_id));
    g_ptr_array_add(tags, g_strdup_printf("timeline=%u", run->stop.timeline));
    g_ptr_array_add(tags, g_strconcat("start-lsn=", lsn_text(run->stop.start).text, NULL));
    g_ptr_array_add(tags, g_strconcat("stop-lsn=", lsn_text(run->stop.stop).text, NULL));
    g_ptr_array_add(tags, g_strdup_printf("cut=%zuk", run->cut >> 10));
    if (damaged)
        g_ptr_array_add(tags, g_strdup_printf("damaged-pages=%u", damaged));
}

static void add_notes(const PgDirRun *run)
{
    if (!run->config && !pg_dir_run_has(run, "postgresql.conf"))
        g_ptr_array_add(run->plan.notes,
                        g_strdup_printf("the configuration files lie outside of the data directory "
                                        "and are not in the backup: %s",
                                        run->no_config ? run->no_config
                                        : run->server  ? "not found"
                                                       : "the server is stopped"));
}

/* ---- the source ---- */

static bool push_rest(PgDirRun *run, GError **error)
{
    PgDirWal wal = pg_dir_run_wal(run);

    return pg_dir_manifest_push(run->read, &run->control, &wal, run->tree, error) &&
           (!run->config || pg_config_dir_push(run->config, add_config, run, error)) &&
           push_facts(run, error) && pg_tree_finish(run->tree, error);
}

static bool pg_dir_backup(Source *base, Sink *sink, const SourceRun *source_run, GError **error)
{
    PgDirSource *source = (PgDirSource *)base;
    g_auto(PgDirRun) run = {
        .plan = source->plan,
        .source_run = source_run,
        .sink = sink,
        .fd = -1,
        .started = clock_now(),
    };

    if (!pg_dir_run_begin(&run, error) || !pg_dir_run_read(&run, error) ||
        !pg_dir_run_end(&run, error) || !push_rest(&run, error)) {
        g_prefix_error(error, "%s: ", base->name);
        return false;
    }
    report_damage(&run);
    add_tags(&run, base->tags);
    add_notes(&run);
    return true;
}

/* A file of the last backup, which can do without. */
static GBytes *of_parent(const PgDirSource *source, const SourceParent *parent, const char *name)
{
    g_autofree char *path = g_strconcat("/", source->base.name, "/", name, NULL);
    GBytes *content = NULL;

    (void)parent->file(parent->user, path, PARENT_MAX, &content, NULL);
    return content;
}

static void pg_dir_inherit(Source *base, const SourceParent *parent)
{
    PgDirSource *source = (PgDirSource *)base;

    source->plan.parent_cut = pgcluster_parent_cut(parent->tags);
    source->plan.parent_facts = of_parent(source, parent, "manifest.json");
    source->plan.parent_manifest = of_parent(source, parent, "pgdata/backup_manifest");
}

static void pg_dir_free(Source *base)
{
    PgDirSource *source = (PgDirSource *)base;

    g_clear_pointer(&source->plan.parent_facts, g_bytes_unref);
    g_clear_pointer(&source->plan.parent_manifest, g_bytes_unref);
    g_free(source->directory);
    g_free(source);
}

static const SourceOps pg_dir_ops = {
    .kind = "pgcluster",
    .inherit = pg_dir_inherit,
    .strict_reuse = true,
    .backup = pg_dir_backup,
    .free = pg_dir_free,
};

/* "pgcluster-var-lib-postgresql-15-main": the same whether the server runs or not. */
static char *name_of(const char *directory)
{
    g_autofree char *plain = g_strconcat("pgcluster", directory, NULL);

    return pg_escape_name(g_strdelimit(plain, "/", '-'));
}

Source *pg_dir_source_new(const char *directory, const PgDirOptions *options, GError **error)
{
    static const PgDirOptions none = { .settled = PG_DIR_SETTLED };
    g_autofree char *clean = g_canonicalize_filename(directory, NULL);
    PgDirSource *source;
    bool fast;

    if (!options)
        options = &none;
    if (!pgcluster_checkpoint_parse(options->checkpoint, &fast, error))
        return NULL;
    if (!g_file_test(clean, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s: no such directory", clean);
        return NULL;
    }
    source = g_new0(PgDirSource, 1);
    source_init(&source->base, &pg_dir_ops, name_of(clean));
    source->directory = g_steal_pointer(&clean);
    source->plan = (PgDirPlan){
        .name = source->base.name,
        .directory = source->directory,
        .fast = fast,
        .no_page_checks = options->no_page_checks,
        .notes = source->base.notes,
        .source = &source->base,
        .settled = options->settled,
    };
    return &source->base;
}
