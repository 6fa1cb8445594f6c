/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdirmanifest.h"
#include "base/error.h"
#include "pg/manifestwriter.h"
#include "source/pgfacts.h"

#define PLACED "pgdata/backup_manifest"

static bool write_slice(void *user, const void *data, size_t len, GError **error)
{
    return pg_tree_write(user, data, len, error);
}

static bool add_lines(ManifestWriter *writer, PgDirRead *read, GError **error)
{
    size_t n;
    const PgDirLine *const *lines = pg_dir_read_lines(read, &n);

    for (size_t i = 0; i < n; i++) {
        ManifestLine line = {
            .path = lines[i]->path,
            .size = lines[i]->size,
            .mtime = lines[i]->mtime,
            .crc = lines[i]->crc,
        };

        if (!manifest_writer_add(writer, &line, error))
            return false;
    }
    return true;
}

bool pg_dir_manifest_push(PgDirRead *read, const PgControl *control, const PgDirWal *wal,
                          PgTree *tree, GError **error)
{
    g_autoptr(ManifestWriter) writer =
        manifest_writer_new(control->release, control->system_id, write_slice, tree);
    TarEntry entry = wal->like;

    entry.path = PLACED;
    entry.mode = S_IFREG | 0600;
    return pg_tree_begin(tree, &entry, false, 0, error) && add_lines(writer, read, error) &&
           manifest_writer_add_range(writer, wal->timeline, wal->start, wal->stop, error) &&
           manifest_writer_finish(writer, error) && pg_tree_end(tree, error);
}

json_t *pg_dir_describe(const PgDirCircumstances *circumstances, uint64_t n_kept,
                        const GArray *damage)
{
    json_t *described = json_object(), *list = json_array();

    for (guint i = 0; i < damage->len; i++) {
        const PgDirDamage *one = &g_array_index(damage, PgDirDamage, i);
        json_t *row = json_object();

        (void)json_object_set_new(row, "file", pg_facts_text(one->path, NULL));
        (void)json_object_set_new(row, "block", json_integer(one->block));
        (void)json_object_set_new(row, "pages", json_integer(one->n));
        (void)json_array_append_new(list, row);
    }
    (void)json_object_set_new(described, "stopped", json_boolean(!circumstances->server_started));
    (void)json_object_set_new(described, "pages_checked",
                              json_boolean(circumstances->pages_checked));
    (void)json_object_set_new(described, "damaged", list);
    (void)json_object_set_new(described, "kept", json_integer((json_int_t)n_kept));
    (void)json_object_set_new(described, "circumstances", pg_dir_circumstances_json(circumstances));
    return described;
}

GError *pg_dir_damage_error(const PgDirDamage *damage)
{
    g_autofree char *more = damage->n > 1
                                ? g_strdup_printf(", and %u more pages of this file", damage->n - 1)
                                : g_strdup("");

    if (damage->stored == damage->counted)
        return g_error_new(
            BS_ERROR, BS_ERROR_PARTIAL,
            "block %u is damaged: it says it is new, and is not empty%s; it is saved "
            "as it is",
            damage->block, more);
    return g_error_new(
        BS_ERROR, BS_ERROR_PARTIAL,
        "block %u is damaged: its checksum is %u, and should be %u%s; it is saved as "
        "it is",
        damage->block, damage->stored, damage->counted, more);
}
