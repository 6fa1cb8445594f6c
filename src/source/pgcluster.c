/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgcluster.h"
#include "base/error.h"
#include "pg/basebackup.h"
#include "pg/walname.h"
#include "source/pgbase.h"
#include "source/pgclusterfacts.h"
#include "source/pgconfigdir.h"
#include <string.h>

typedef struct {
    Source base;
    PgUrl *url;
    PgBackupOptions options;
    size_t parent_cut; /* 0: not known */
} PgClusterSource;

#define TERMINATED 150000 /* servers since then send whole tar archives */

/* ---- cuts ---- */

#define CUT_MIN ((size_t)16 << 10)
#define CUT_MAX ((size_t)1 << 20)
/* An id of a chunk takes 67 bytes in the tree of its directory, and a tree is one blob, which every
 * reader holds in memory. A chunk of 16 KiB changes when one of its two pages does. */
#define CHUNKS_CHOSEN (UINT64_C(1) << 20)
#define CHUNKS_KEPT   (UINT64_C(1) << 21)

size_t pgcluster_cut(uint64_t size, size_t parent)
{
    size_t cut = CUT_MIN;

    if (parent >= CUT_MIN && parent <= CUT_MAX && (parent & (parent - 1)) == 0 &&
        (parent == CUT_MAX || size / parent <= CHUNKS_KEPT))
        return parent;
    while (cut < CUT_MAX && size / cut > CHUNKS_CHOSEN)
        cut *= 2;
    return cut;
}

size_t pgcluster_parent_cut(char *const *tags)
{
    size_t cut = 0;

    for (; *tags; tags++) {
        const char *value = g_str_has_prefix(*tags, "cut=") ? *tags + strlen("cut=") : NULL;

        if (value && strlen(value) > 1 && strspn(value, "0123456789") == strlen(value) - 1 &&
            g_str_has_suffix(value, "k"))
            cut = (size_t)g_ascii_strtoull(value, NULL, 10) << 10;
    }
    return cut;
}

/* Cuts that stay where they were keep what did not change known. */
static void pgcluster_inherit(Source *base, const SourceParent *parent)
{
    ((PgClusterSource *)base)->parent_cut = pgcluster_parent_cut(parent->tags);
}

/* ---- one backup ---- */

typedef struct {
    PgClusterSource *source;
    const SourceRun *run;
    PgReplication *replication;
    PgSystem system;
    uint32_t segment_size;
    size_t cut;
    bool wal_held;
    PgBackupStart start;
    PgBackupStop stop;
    Timestamp started;
    PgBase *pushed;
    PgConfigDir *config; /* NULL: there is none, or it cannot be had */
    char *no_config;     /* why it cannot be had */
} Backup;

static void backup_done(Backup *backup)
{
    pg_base_free(backup->pushed);
    pg_config_dir_free(backup->config);
    g_free(backup->no_config);
    pg_backup_start_clear(&backup->start);
    pg_replication_free(backup->replication);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Backup, backup_done)

static bool ask_server(Backup *backup, mode_t *ret_mode, GError **error)
{
    g_autofree char *mode = NULL;

    if (!pg_replication_identify(backup->replication, &backup->system, error) ||
        !pg_replication_segment_size(backup->replication, &backup->segment_size, error))
        return false;
    mode = pg_replication_show(backup->replication, "data_directory_mode", error);
    if (!mode)
        return false;
    *ret_mode = g_ascii_strtoull(mode, NULL, 8) == 0750 ? 0750 : 0700;
    return true;
}

/* Without a slot a busy server may recycle WAL that the backup needs; then it says so in the end.
 */
static void hold_wal(Backup *backup)
{
    backup->wal_held = pg_replication_hold_wal(backup->replication, NULL);
}

/*
 * A server follows a relative link from pg_tblspc/ while it runs, but for a base backup it reads
 * the same path from the data directory, finds nothing there and leaves the tablespace out without
 * a word. A path below pg_tblspc/ is that of a tablespace within the data directory.
 */
static bool tablespaces_can_be_read(const Backup *backup, GError **error)
{
    for (guint i = 0; i < backup->start.tablespaces->len; i++) {
        const PgTablespace *one = &g_array_index(backup->start.tablespaces, PgTablespace, i);

        if (!one->oid || *one->location == '/' || g_str_has_prefix(one->location, "pg_tblspc/"))
            continue;
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "the server would leave out tablespace %u, for its link is relative (%s); stop "
                    "the server, make the link pg_tblspc/%u absolute (ln -sfn), start it again",
                    one->oid, one->location, one->oid);
        return false;
    }
    return true;
}

static char *show(void *user, const char *name, GError **error)
{
    return pg_replication_show(user, name, error);
}

static bool begin(Backup *backup, Sink *sink, GError **error)
{
    PgClusterSource *source = backup->source;
    Progress *progress = backup->run->progress;
    PgBaseOptions options = { .top = source->base.name };

    if (!ask_server(backup, &options.mode, error))
        return false;
    hold_wal(backup);
    backup->config =
        pg_config_dir_find(show, backup->replication, backup->system.system_id, &backup->no_config);
    progress_current(progress, source->options.fast ? "checkpoint" : "checkpoint (spread)");
    if (!pg_backup_begin(backup->replication, &source->options, &backup->start, error))
        return false;
    if (!tablespaces_can_be_read(backup, error))
        return false;
    backup->cut = pgcluster_cut(backup->start.size, source->parent_cut);
    if (progress) {
        progress->bytes_total = backup->start.size;
        progress->total_known = true;
    }
    options.cut = backup->cut;
    options.segment_size = backup->segment_size;
    options.tablespaces = backup->start.tablespaces;
    options.time = backup->started;
    options.terminated = pg_replication_version(backup->replication) >= TERMINATED;
    backup->pushed = pg_base_new(sink, &options);
    return true;
}

static bool receive(Backup *backup, GError **error)
{
    uint64_t said;

    if (!pg_backup_receive(backup->replication, &backup->start, &pg_base_receiver, backup->pushed,
                           &backup->stop, error)) {
        if (!backup->wal_held && g_error_matches(error ? *error : NULL, BS_ERROR, BS_ERROR_FAILED))
            g_prefix_error(error, "(no replication slot was free to hold the WAL; raise "
                                  "max_replication_slots or wal_keep_size) ");
        return false;
    }
    if (!pg_base_complete(backup->pushed, &said, error))
        return false;
    if (said && said != backup->system.system_id) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "backup_manifest: it is of system %" G_GUINT64_FORMAT
                    ", the server is %" G_GUINT64_FORMAT,
                    said, backup->system.system_id);
        return false;
    }
    if (backup->stop.lsn > backup->start.lsn)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "server: the backup stops before it starts");
    return false;
}

/* ---- what is said of it ---- */

/* url: as borrowed as the rest. */
static PgClusterFacts facts_of(const Backup *backup, const char *url)
{
    PgClusterFacts facts = {
        .name = backup->source->base.name,
        .url = url,
        .version = pg_replication_version(backup->replication),
        .version_text = pg_replication_version_text(backup->replication),
        .system_id = backup->system.system_id,
        .segment_size = backup->segment_size,
        .start = { backup->start.lsn, backup->start.timeline },
        .stop = backup->stop,
        .tablespaces = backup->start.tablespaces,
        .started = backup->started,
        .standby = pg_base_has(backup->pushed, "standby.signal"),
        .own_config = pg_base_has(backup->pushed, "postgresql.conf"),
        .wal_held = backup->wal_held,
        .has_config = backup->config != NULL,
        .no_config = backup->no_config,
    };

    pg_base_counts(backup->pushed, &facts.n_files, &facts.n_bytes);
    return facts;
}

static bool add_config(void *user, const char *path, const void *data, size_t len, GError **error)
{
    return data ? pg_base_add(user, path, data, len, error)
                : pg_base_add_directory(user, path, error);
}

static bool push_manifest(Backup *backup, GError **error)
{
    g_autofree char *url = pg_url_redacted(backup->source->url);
    PgClusterFacts facts = facts_of(backup, url);
    json_t *manifest = pg_cluster_manifest(&facts);
    g_autofree char *text = NULL;

    source_add_facts(&backup->source->base, manifest);
    text = json_dumps(manifest, JSON_INDENT(2) | JSON_SORT_KEYS);
    json_decref(manifest);
    g_assert(text);
    return pg_base_add(backup->pushed, "manifest.json", text, strlen(text), error);
}

static void add_tags(const Backup *backup)
{
    GPtrArray *tags = backup->source->base.tags;

    g_ptr_array_add(tags,
                    g_strdup_printf("system-id=%" G_GUINT64_FORMAT, backup->system.system_id));
    g_ptr_array_add(tags, g_strdup_printf("timeline=%u", backup->start.timeline));
    g_ptr_array_add(tags, g_strconcat("start-lsn=", lsn_text(backup->start.lsn).text, NULL));
    g_ptr_array_add(tags, g_strconcat("stop-lsn=", lsn_text(backup->stop.lsn).text, NULL));
    g_ptr_array_add(tags, g_strdup_printf("cut=%zuk", backup->cut >> 10));
}

static void add_notes(const Backup *backup)
{
    Source *source = &backup->source->base;

    if (!backup->config && !pg_base_has(backup->pushed, "postgresql.conf"))
        g_ptr_array_add(source->notes,
                        g_strdup_printf("the configuration files lie outside of the data directory "
                                        "and are not in the backup: %s",
                                        backup->no_config ? backup->no_config : "not found"));
}

/* ---- the source ---- */

static bool backup_all(Backup *backup, Sink *sink, GError **error)
{
    backup->replication = pg_replication_connect(backup->source->url, backup->run->cancel, error);
    if (!backup->replication || !begin(backup, sink, error) || !receive(backup, error))
        return false;
    if (backup->config && !pg_config_dir_push(backup->config, add_config, backup->pushed, error))
        return false;
    if (!push_manifest(backup, error) || !pg_base_finish(backup->pushed, error))
        return false;
    add_tags(backup);
    add_notes(backup);
    return true;
}

static bool pgcluster_backup(Source *source, Sink *sink, const SourceRun *run, GError **error)
{
    g_auto(Backup) backup = {
        .source = (PgClusterSource *)source,
        .run = run,
        .started = clock_now(),
    };

    if (backup_all(&backup, sink, error))
        return true;
    g_prefix_error(error, "%s: ", source->name);
    return false;
}

static void pgcluster_free(Source *base)
{
    PgClusterSource *source = (PgClusterSource *)base;

    pg_url_free(source->url);
    g_free(source);
}

static const SourceOps pgcluster_ops = {
    .kind = "pgcluster",
    .inherit = pgcluster_inherit,
    .backup = pgcluster_backup,
    .free = pgcluster_free,
};

bool pgcluster_checkpoint_parse(const char *text, bool *ret_fast, GError **error)
{
    if (text && strcmp(text, "fast") != 0 && strcmp(text, "spread") != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--checkpoint %s: fast or spread", text);
        return false;
    }
    *ret_fast = g_strcmp0(text, "fast") == 0;
    return true;
}

static bool parse_options(const PgClusterOptions *options, PgBackupOptions *ret_options,
                          GError **error)
{
    bool fast;

    if (!pgcluster_checkpoint_parse(options->checkpoint, &fast, error))
        return false;
    if (options->max_rate_kb &&
        (options->max_rate_kb < PG_BACKUP_RATE_MIN || options->max_rate_kb > PG_BACKUP_RATE_MAX)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--max-rate: from %u KiB to %u KiB a second",
                    PG_BACKUP_RATE_MIN, PG_BACKUP_RATE_MAX);
        return false;
    }
    *ret_options = (PgBackupOptions){
        .label = "backstay",
        .fast = fast,
        .max_rate_kb = (unsigned)options->max_rate_kb,
        .no_page_checks = options->no_page_checks,
    };
    return true;
}

Source *pgcluster_source_new(const char *url, const char *name, const PgClusterOptions *options,
                             GError **error)
{
    static const PgClusterOptions none = { 0 };
    g_autoptr(PgUrl) parsed = pg_url_parse(url, error);
    PgBackupOptions backup;
    PgClusterSource *source;

    if (!parsed || !parse_options(options ? options : &none, &backup, error))
        return NULL;
    source = g_new0(PgClusterSource, 1);
    source->options = backup;
    source_init(&source->base, &pgcluster_ops,
                name ? pg_escape_name(name) : pg_url_cluster_name(parsed));
    source->url = g_steal_pointer(&parsed);
    return &source->base;
}
