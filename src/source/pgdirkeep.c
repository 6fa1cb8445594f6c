/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdirkeep.h"
#include "base/fs.h"
#include "pg/backupmanifest.h"
#include "pg/datadir.h"
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>

#define BOOT_ID      "/proc/sys/kernel/random/boot_id"
#define OFFSET_SLACK 500 /* ms; both clocks are asked one after the other */

typedef struct {
    uint64_t size;
    uint32_t crc;
} Known;

struct PgDirKeep {
    GHashTable *files; /* path -> Known */
    int64_t before;    /* Unix seconds: files must be older */
    uint64_t device;
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* ---- circumstances ---- */

void pg_dir_circumstances_clear(PgDirCircumstances *circumstances)
{
    g_clear_pointer(&circumstances->boot, g_free);
    g_clear_pointer(&circumstances->server_started, g_free);
}

/* Not those of other machines, nor what lies upon another file system. */
static bool is_local(int fd)
{
    static const uint64_t known[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
                                      F2FS_SUPER_MAGIC, TMPFS_MAGIC,     0x2fc12fc1 /* ZFS */,
                                      0xca451a4e /* bcachefs */ };
    struct statfs fs;

    if (fstatfs(fd, &fs) != 0)
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if ((uint64_t)fs.f_type == known[i])
            return true;
    return false;
}

static int64_t ms_of(clockid_t clock)
{
    struct timespec time;

    g_assert(clock_gettime(clock, &time) == 0);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void pg_dir_circumstances_see(int fd, PgDirCircumstances *circumstances)
{
    g_autoptr(GBytes) boot = NULL;
    struct stat st;

    if (fs_read_file(BOOT_ID, 256, &boot, NULL))
        circumstances->boot =
            g_strchomp(g_strndup(g_bytes_get_data(boot, NULL), g_bytes_get_size(boot)));
    circumstances->started = ms_of(CLOCK_REALTIME) / 1000;
    circumstances->clock_offset_ms = ms_of(CLOCK_REALTIME) - ms_of(CLOCK_BOOTTIME);
    circumstances->local = fstat(fd, &st) == 0 && is_local(fd);
    circumstances->device = circumstances->local ? st.st_dev : 0;
}

json_t *pg_dir_circumstances_json(const PgDirCircumstances *seen)
{
    json_t *object = json_object();

    if (seen->boot)
        (void)json_object_set_new(object, "boot_id", json_string(seen->boot));
    if (seen->server_started)
        (void)json_object_set_new(object, "server_started", json_string(seen->server_started));
    (void)json_object_set_new(object, "started", json_integer(seen->started));
    (void)json_object_set_new(object, "clock_offset_ms", json_integer(seen->clock_offset_ms));
    (void)json_object_set_new(object, "device", json_integer((json_int_t)seen->device));
    (void)json_object_set_new(object, "local", json_boolean(seen->local));
    return object;
}

/* ---- the last backup ---- */

static bool is_text(const json_t *object, const char *key, const char *want)
{
    return want && g_strcmp0(json_string_value(json_object_get(object, key)), want) == 0;
}

/* NULL: under circumstances that allow it. */
static const char *what_changed(const json_t *facts, const PgDirCircumstances *now)
{
    const json_t *directory = json_object_get(facts, "directory");
    const json_t *then = json_object_get(directory, "circumstances");
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, now->system_id);
    int64_t offset = json_integer_value(json_object_get(then, "clock_offset_ms"));
    int64_t started = json_integer_value(json_object_get(then, "started"));

    if (!json_is_integer(json_object_get(then, "clock_offset_ms")) || started <= 0)
        return "the last backup was not made in this way";
    if (!is_text(json_object_get(facts, "cluster"), "system_id", id))
        return "the last backup is of another cluster";
    if (!is_text(then, "boot_id", now->boot))
        return "the machine was started since the last backup, or is another one";
    if (!is_text(then, "server_started", now->server_started))
        return "the server was started since the last backup";
    if (!now->local || !json_is_true(json_object_get(then, "local")) ||
        json_integer_value(json_object_get(then, "device")) != (json_int_t)now->device)
        return "the file system is another one, or of a kind that is not relied on";
    if (started > now->started || ABS(offset - now->clock_offset_ms) > OFFSET_SLACK)
        return "the clock was set since the last backup";
    if (now->pages_checked && !json_is_true(json_object_get(directory, "pages_checked")))
        return "the last backup did not look at the checksums of pages";
    return NULL;
}

static bool take_file(void *user, const ManifestFile *file, GError **error)
{
    PgDirKeep *keep = user;
    Known known = { file->size, file->crc };

    (void)error;
    if (file->has_crc)
        g_hash_table_insert(keep->files, g_strdup(file->path), g_memdup2(&known, sizeof known));
    return true;
}

static bool take_range(void *user, const ManifestRange *range, GError **error)
{
    (void)user, (void)range, (void)error;
    return true;
}

static const ManifestReceiver receiver = { take_file, take_range };

static bool read_manifest(PgDirKeep *keep, GBytes *text)
{
    g_autoptr(BackupManifest) manifest = backup_manifest_new(&receiver, keep);
    gsize len;
    const void *data = g_bytes_get_data(text, &len);

    return backup_manifest_feed(manifest, data, len, NULL) &&
           backup_manifest_finish(manifest, NULL);
}

/* Files with damaged pages are read again each time, so that they are told of each time. */
static void forget_damaged(PgDirKeep *keep, const json_t *facts)
{
    const json_t *list = json_object_get(json_object_get(facts, "directory"), "damaged"), *row;
    size_t i;

    json_array_foreach(list, i, row)
    {
        const char *path = json_string_value(json_object_get(row, "file"));

        if (path)
            g_hash_table_remove(keep->files, path);
    }
}

PgDirKeep *pg_dir_keep_new(GBytes *facts, GBytes *manifest, const PgDirCircumstances *now,
                           int64_t settled, const char **ret_reason)
{
    g_autoptr(PgDirKeep) keep = g_new0(PgDirKeep, 1);
    g_autoptr(json_t) object = json_loadb(g_bytes_get_data(facts, NULL), g_bytes_get_size(facts),
                                          JSON_REJECT_DUPLICATES, NULL);

    *ret_reason = what_changed(object, now);
    if (*ret_reason)
        return NULL;
    keep->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    keep->device = now->device;
    keep->before =
        json_integer_value(json_object_get(
            json_object_get(json_object_get(object, "directory"), "circumstances"), "started")) -
        settled;
    if (!read_manifest(keep, manifest)) {
        *ret_reason = "the manifest of the last backup cannot be read";
        return NULL;
    }
    forget_damaged(keep, object);
    return g_steal_pointer(&keep);
}

void pg_dir_keep_free(PgDirKeep *keep)
{
    if (!keep)
        return;
    g_clear_pointer(&keep->files, g_hash_table_unref);
    g_free(keep);
}

/* ---- one file ---- */

static bool is_old(const struct timespec *time, int64_t before)
{
    // a time without a fraction may be of a file system that has none
    return time->tv_sec < before && time->tv_nsec != 0;
}

/* Relations are what is large; the rest is read. */
static bool is_relation(const char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);
    const char *name = strrchr(path, '/');
    PgRelationFile file;

    return name && pg_holds_relations(dir) && pg_relation_file_parse(name + 1, &file);
}

bool pg_dir_keep_may(const PgDirKeep *keep, const char *path, const struct stat *st,
                     uint32_t *ret_crc)
{
    const Known *known = g_hash_table_lookup(keep->files, path);

    if (!known || known->size != (uint64_t)st->st_size || (uint64_t)st->st_dev != keep->device ||
        !is_old(&st->st_mtim, keep->before) || !is_old(&st->st_ctim, keep->before) ||
        !is_relation(path))
        return false;
    *ret_crc = known->crc;
    return true;
}
