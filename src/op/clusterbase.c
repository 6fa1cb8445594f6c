/* SPDX-License-Identifier: Apache-2.0 */
#include "op/clusterbase.h"

#include "base/error.h"
#include "op/walbase.h"
#include "pg/backuplabel.h"
#include "pg/walname.h"
#include "repo/blob.h"

#include <jansson.h>
#include <string.h>

#define MANIFEST_MAX (16u << 20)
#define LABEL_MAX    (64u << 10)
#define CONTROL_MAX  (64u << 10)

/* ---- what the tags say ---- */

bool cluster_base_init(ClusterBase *base, Repo *repo, const Snapshot *snapshot)
{
    WalBase found;

    if (g_strcmp0(snapshot_tag_value(snapshot, "kind"), "pgcluster") != 0 ||
        wal_base_of(snapshot, &found) != WAL_BASE_GOOD)
        return false;
    *base = (ClusterBase){
        .repo = repo,
        .snapshot = snapshot,
        .system_id = found.system_id,
        .timeline = found.timeline,
        .start = found.start,
        .stop = found.stop,
    };
    return true;
}

void cluster_base_clear(ClusterBase *base)
{
    g_clear_pointer(&base->folder, g_free);
    g_clear_pointer(&base->tablespaces, g_array_unref);
    g_clear_pointer(&base->wal, g_ptr_array_unref);
}

/* ---- its files ---- */

bool cluster_base_node(const ClusterBase *base, const char *name, Node **ret_node, GError **error)
{
    g_autoptr(Node) node = NULL;
    Id ignored;

    if (!walk_find(base->repo, &base->tree, name, &node, &ignored, error)) {
        g_prefix_error(error, "snapshot %s: %s/%s: ", id_short(&base->snapshot->id).text,
                       base->folder, name);
        return false;
    }
    *ret_node = g_steal_pointer(&node);
    return true;
}

bool cluster_base_file(const ClusterBase *base, const char *name, size_t bound,
                       GBytes **ret_content, GError **error)
{
    if (walk_read(base->repo, &base->tree, name, bound, ret_content, error))
        return true;
    g_prefix_error(error, "snapshot %s: %s: ", id_short(&base->snapshot->id).text, base->folder);
    return false;
}

/* ---- what they say ---- */

static bool wrong(const ClusterBase *base, const char *problem, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "snapshot %s: %s",
                id_short(&base->snapshot->id).text, problem);
    return false;
}

static bool load_tree(const ClusterBase *base, const Id *id, Tree **ret_tree, GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(base->repo);

    return walk_load(base->repo, opener, id, ret_tree, error);
}

/* The one folder at the root. */
static bool find_folder(ClusterBase *base, GError **error)
{
    g_autoptr(Tree) tree = NULL;
    const Node *top;

    if (!load_tree(base, &base->snapshot->tree, &tree, error))
        return false;
    top = tree->nodes->len == 1 ? g_ptr_array_index(tree->nodes, 0) : NULL;
    if (!top || !S_ISDIR(top->mode))
        return wrong(base, "it holds more than one cluster, or none", error);
    base->tree = top->subtree;
    base->folder = g_strconcat("/", top->name, NULL);
    return true;
}

static bool read_control(ClusterBase *base, GError **error)
{
    g_autoptr(GBytes) content = NULL;
    gsize len;
    const void *data;

    if (!cluster_base_file(base, "pgdata/global/pg_control", CONTROL_MAX, &content, error))
        return false;
    data = g_bytes_get_data(content, &len);
    if (!pg_control_parse(data, len, &base->control, error))
        return false;
    if (base->control.system_id != base->system_id)
        return wrong(base, "its control file is of another cluster than its tags say", error);
    return wal_segment_size_valid(base->control.wal_segment_size) ||
           wrong(base, "its control file names no size of WAL segments", error);
}

/* Of a server that was shut down cleanly: it begins where its control file says, without a label.
 */
static bool is_cold(const ClusterBase *base)
{
    const PgControl *control = &base->control;

    return (control->state == PG_STATE_SHUT_DOWN ||
            control->state == PG_STATE_SHUT_DOWN_IN_RECOVERY) &&
           control->redo == base->start && control->timeline == base->timeline;
}

/* Without it a server would begin its recovery at a later checkpoint, and be damaged. */
static bool read_label(const ClusterBase *base, GError **error)
{
    g_autoptr(GBytes) content = NULL;
    g_autoptr(BackupLabel) label = NULL;
    g_autoptr(GError) failure = NULL;

    if (!cluster_base_file(base, "pgdata/backup_label", LABEL_MAX, &content, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND) && is_cold(base))
            return true;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    label = backup_label_parse(g_bytes_get_data(content, NULL), g_bytes_get_size(content), error);
    if (!label)
        return false;
    if (label->start != base->start || label->timeline != base->timeline)
        return wrong(base, "its backup_label says another start than its tags", error);
    return label->incremental_from == 0 ||
           wrong(base, "it is an incremental backup, which does not start by itself", error);
}

static void clear_tablespace(void *tablespace)
{
    g_free(((BaseTablespace *)tablespace)->location);
}

static bool add_tablespace(ClusterBase *base, const json_t *item)
{
    const json_t *oid = json_object_get(item, "oid");
    const char *location = json_string_value(json_object_get(item, "location"));
    BaseTablespace tablespace = { 0 };

    if (!json_is_integer(oid) || json_integer_value(oid) <= 0 ||
        json_integer_value(oid) > UINT32_MAX || !location)
        return false;
    tablespace.oid = (uint32_t)json_integer_value(oid);
    tablespace.location = g_strdup(location);
    tablespace.inside = g_str_has_prefix(location, "pg_tblspc/");
    g_array_append_val(base->tablespaces, tablespace);
    return true;
}

static bool read_manifest(ClusterBase *base, GError **error)
{
    g_autoptr(GBytes) content = NULL;
    json_error_t problem;
    json_t *manifest, *item;
    size_t i;
    bool good;

    if (!cluster_base_file(base, "manifest.json", MANIFEST_MAX, &content, error))
        return false;
    manifest = json_loadb(g_bytes_get_data(content, NULL), g_bytes_get_size(content),
                          JSON_REJECT_DUPLICATES, &problem);
    base->tablespaces = g_array_new(FALSE, FALSE, sizeof(BaseTablespace));
    g_array_set_clear_func(base->tablespaces, clear_tablespace);
    good = json_is_array(json_object_get(manifest, "tablespaces"));
    json_array_foreach(json_object_get(manifest, "tablespaces"), i, item)
    {
        good = good && add_tablespace(base, item);
    }
    json_decref(manifest);
    return good || wrong(base, "its manifest.json does not list the tablespaces", error);
}

/* Names in the data directory and in its pg_wal. */
static bool look_around(ClusterBase *base, GError **error)
{
    g_autoptr(Node) pgdata = NULL;
    g_autoptr(Tree) top = NULL, wal = NULL;
    const Node *pg_wal;

    if (!cluster_base_node(base, "pgdata", &pgdata, error))
        return false;
    if (!pgdata || !S_ISDIR(pgdata->mode))
        return wrong(base, "it has no data directory", error);
    if (!load_tree(base, &pgdata->subtree, &top, error))
        return false;
    base->has_config = tree_find(top, "postgresql.conf") != NULL;
    base->wal = g_ptr_array_new_with_free_func(g_free);
    pg_wal = tree_find(top, "pg_wal");
    if (!pg_wal || !S_ISDIR(pg_wal->mode))
        return true;
    if (!load_tree(base, &pg_wal->subtree, &wal, error))
        return false;
    for (guint i = 0; i < wal->nodes->len; i++) {
        const Node *node = g_ptr_array_index(wal->nodes, i);
        WalName name;

        if (S_ISREG(node->mode) && wal_name_parse(node->name, &name, NULL) &&
            name.kind == WAL_SEGMENT)
            g_ptr_array_add(base->wal, g_strdup(node->name));
    }
    return true;
}

/* One in pg_tblspc/ itself, read from the data directory, lies beside it like all others. */
static bool look_for_tablespaces(ClusterBase *base, GError **error)
{
    for (guint i = 0; i < base->tablespaces->len; i++) {
        BaseTablespace *one = &g_array_index(base->tablespaces, BaseTablespace, i);
        g_autofree char *name = g_strdup_printf("tablespaces/%u", one->oid);
        g_autoptr(Node) node = NULL;

        if (!one->inside)
            continue;
        if (!cluster_base_node(base, name, &node, error))
            return false;
        one->inside = !node;
    }
    return true;
}

bool cluster_base_open(ClusterBase *base, GError **error)
{
    if (base->folder)
        return true;
    return find_folder(base, error) && read_control(base, error) && read_label(base, error) &&
           read_manifest(base, error) && look_for_tablespaces(base, error) &&
           look_around(base, error);
}
