/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdumpfiles.h"

#include "base/error.h"
#include "source/pgdumpfile.h"
#include "source/pgdumping.h"
#include <string.h>

#define FILES_MAX 4000000u /* an archive has one for each table and each large object */
#define LISTS     "blobs"  /* names of lists of large objects begin so */
#define MINOR_LZ4 15       /* and zstd: pg_dump 16 */

typedef struct {
    uint64_t size;
    Id sha256;
    PgDumpFile data; /* unpacked */
    bool named;      /* by toc.dat, or by what that names */
} File;

struct PgDumpFiles {
    PgDump *toc;
    GTree *files; /* name, without the end that says how it is packed -> File; in the C locale */
    GHashTable *packed; /* name -> the name in the directory, where that is another */
    Hash *hash;
    PgDumpReader *reader;

    char *name; /* of the file at hand, as in the tree; NULL: none */
    File *file;
    bool is_toc;
    char *newer; /* the name of one that is packed by LZ4 or zstd; NULL: none */
};

static int compare(gconstpointer a, gconstpointer b, G_GNUC_UNUSED gpointer user)
{
    return strcmp(a, b);
}

static void file_free(gpointer user)
{
    File *file = user;

    pgdump_file_clear(&file->data);
    g_free(file);
}

PgDumpFiles *pgdump_files_new(void)
{
    PgDumpFiles *files = g_new0(PgDumpFiles, 1);

    files->toc = pgdump_new_toc();
    files->files = g_tree_new_full(compare, NULL, g_free, file_free);
    files->packed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    files->hash = hash_new();
    files->reader = pgdump_reader_new();
    return files;
}

void pgdump_files_free(PgDumpFiles *files)
{
    if (!files)
        return;
    pgdump_free(files->toc);
    g_tree_unref(files->files);
    g_hash_table_unref(files->packed);
    hash_free(files->hash);
    pgdump_reader_free(files->reader);
    g_free(files->name);
    g_free(files->newer);
    g_free(files);
}

static bool refuse(GError **error, const char *name, const char *what)
{
    g_autofree char *shown = g_utf8_make_valid(name, -1);

    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "dump: %s: %s", shown, what);
    return false;
}

/* ---- one file ---- */

static bool is_number(const char *text, const char *end)
{
    size_t n = strspn(text, "0123456789");

    return n > 0 && n <= 10 && strcmp(text + n, end) == 0;
}

/* Names that pg_dump gives, and so none that leads elsewhere. */
static bool is_of_dump(const char *name)
{
    return is_number(name, ".dat") ||
           (g_str_has_prefix(name, "blob_") && is_number(name + 5, ".dat")) ||
           strcmp(name, "blobs.toc") == 0 ||
           (g_str_has_prefix(name, "blobs_") && is_number(name + 6, ".toc"));
}

static const struct {
    const char *end;
    PgDumpCompression how;
} ends[] = { { ".gz", PGDUMP_GZIP }, { ".zst", PGDUMP_ZSTD }, { ".lz4", PGDUMP_LZ4 } };

static PgDumpCompression packing_of(const char *name, char **ret_plain)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
        if (g_str_has_suffix(name, ends[i].end)) {
            *ret_plain = g_strndup(name, strlen(name) - strlen(ends[i].end));
            return ends[i].how;
        }
    *ret_plain = g_strdup(name);
    return PGDUMP_PLAIN;
}

bool pgdump_files_has_name(const char *name)
{
    g_autofree char *plain = NULL;

    (void)packing_of(name, &plain);
    return strcmp(name, PGDUMP_TOC) == 0 || is_of_dump(plain);
}

bool pgdump_files_begin(PgDumpFiles *files, const char *name, GError **error)
{
    g_autofree char *plain = NULL;
    PgDumpCompression how = packing_of(name, &plain);

    g_assert(!files->name);
    files->is_toc = strcmp(name, PGDUMP_TOC) == 0;
    if (!files->is_toc && !is_of_dump(plain))
        return refuse(error, name, "pg_dump makes no file of this name");
    if (g_tree_lookup(files->files, plain))
        return refuse(error, name, "it is there twice");
    if ((guint)g_tree_nnodes(files->files) >= FILES_MAX)
        return refuse(error, name, "there are too many files");
    if (how != PGDUMP_PLAIN)
        g_hash_table_insert(files->packed, g_strdup(plain), g_strdup(name));
    if ((how == PGDUMP_LZ4 || how == PGDUMP_ZSTD) && !files->newer)
        files->newer = g_strdup(name);
    files->file = g_new0(File, 1);
    files->file->named = files->is_toc;
    files->name = g_steal_pointer(&plain);
    g_tree_insert(files->files, g_strdup(files->name), files->file);
    pgdump_reader_begin(files->reader, &files->file->data, how,
                        g_str_has_prefix(files->name, LISTS));
    return true;
}

bool pgdump_files_feed(PgDumpFiles *files, const void *data, size_t len, GError **error)
{
    hash_update(files->hash, data, len);
    files->file->size += len;
    if (files->is_toc)
        return pgdump_feed(files->toc, data, len, error);
    if (pgdump_reader_feed(files->reader, data, len, error))
        return true;
    g_prefix_error(error, "dump: %s: ", files->name);
    return false;
}

bool pgdump_files_end(PgDumpFiles *files, GError **error)
{
    g_autofree char *name = g_steal_pointer(&files->name);

    hash_final(files->hash, &files->file->sha256);
    if (files->is_toc)
        return pgdump_finish(files->toc, error);
    if (pgdump_reader_end(files->reader, error))
        return true;
    g_prefix_error(error, "dump: %s: ", name);
    return false;
}

/* ---- all of them ---- */

static File *find(PgDumpFiles *files, const char *name, const char *whose, GError **error)
{
    File *file = g_tree_lookup(files->files, name);

    if (!file || file->named) {
        g_autofree char *what = g_strdup_printf(
            file ? "named twice, the second time by %s" : "missing, and named by %s", whose);

        (void)refuse(error, name, what);
        return NULL;
    }
    file->named = true;
    return file;
}

/* "16395 blob_16395.dat" */
static bool take_object(PgDumpFiles *files, const char *line, const char *whose, GError **error)
{
    const char *name = strchr(line, ' ');
    File *file;

    if (!name || !is_of_dump(name + 1) || !g_str_has_prefix(name + 1, "blob_"))
        return refuse(error, whose, "a line of it names no large object");
    file = find(files, name + 1, whose, error);
    if (!file)
        return false;
    files->toc->n_objects++;
    files->toc->object_bytes += file->data.bytes;
    return true;
}

static bool take_objects(PgDumpFiles *files, PgDumpEntry *entry, const File *list, GError **error)
{
    g_auto(GStrv) lines = NULL;

    if (list->data.text->len > 0 && (list->data.text->str[list->data.text->len - 1] != '\n' ||
                                     strlen(list->data.text->str) != list->data.text->len))
        return refuse(error, entry->file, "it ends within a line");
    lines = g_strsplit(list->data.text->str, "\n", -1);
    for (char **line = lines; *line; line++)
        if (**line && !take_object(files, *line, entry->file, error))
            return false;
    entry->bytes = list->data.bytes;
    entry->complete = true;
    return true;
}

static bool take_entry(PgDumpFiles *files, PgDumpEntry *entry, GError **error)
{
    File *file = find(files, entry->file, entry->tag, error);

    if (!file)
        return false;
    if (file->data.text)
        return take_objects(files, entry, file, error);
    if (entry->copied && !file->data.marked)
        return refuse(error, entry->file, "it ends early, without the mark of an end");
    entry->rows = entry->copied ? file->data.lines : -1;
    entry->bytes = file->data.bytes;
    entry->hashed = entry->copied || !file->data.marked;
    entry->sha256 = file->data.sha256;
    entry->complete = true;
    return true;
}

static gboolean is_idle(gpointer name, gpointer user, gpointer ret_name)
{
    *(const char **)ret_name = ((const File *)user)->named ? NULL : name;
    return !((const File *)user)->named;
}

static bool restorable(const PgDumpFiles *files, GError **error)
{
    if (!files->newer || pgdump_header(files->toc)->minor >= MINOR_LZ4)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                "dump: %s: pg_restore reads LZ4 and zstd from PostgreSQL 16 on, and the dump is of "
                "an older pg_dump; unpack it (lz4 -d --rm, zstd -d --rm)",
                files->newer);
    return false;
}

bool pgdump_files_finish(PgDumpFiles *files, GError **error)
{
    const GPtrArray *entries = pgdump_entries(files->toc);
    const char *idle = NULL;

    if (!g_tree_lookup(files->files, PGDUMP_TOC))
        return refuse(error, PGDUMP_TOC, "missing");
    for (guint i = 0; i < entries->len; i++) {
        PgDumpEntry *entry = entries->pdata[i];

        if (entry->file && !take_entry(files, entry, error))
            return false;
    }
    if (!restorable(files, error))
        return false;
    g_tree_foreach(files->files, is_idle, &idle);
    return !idle || refuse(error, idle, "it belongs to nothing in the table of contents");
}

const PgDump *pgdump_files_dump(const PgDumpFiles *files)
{
    return files->toc;
}

/* ---- their sum ---- */

typedef struct {
    const PgDumpFiles *files;
    GPtrArray *lines;
    uint64_t size;
} Sum;

static gboolean add_line(gpointer key, gpointer value, gpointer user)
{
    Sum *sum = user;
    const File *file = value;
    const char *packed = g_hash_table_lookup(sum->files->packed, key);

    g_ptr_array_add(sum->lines, g_strdup_printf("%s  %s\n", id_hex(&file->sha256).text,
                                                packed ? packed : (const char *)key));
    sum->size += file->size;
    return FALSE;
}

/* By the names as they are in the directory, which begin behind the sum. */
static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a + ID_HEX_LEN, *(char *const *)b + ID_HEX_LEN);
}

void pgdump_files_sum(const PgDumpFiles *files, uint64_t *ret_size, Id *ret_sha256)
{
    Sum sum = { .files = files, .lines = g_ptr_array_new_with_free_func(g_free) };
    g_autoptr(Hash) hash = hash_new();

    g_tree_foreach(files->files, add_line, &sum);
    g_ptr_array_sort(sum.lines, by_name);
    for (guint i = 0; i < sum.lines->len; i++)
        hash_update(hash, sum.lines->pdata[i], strlen(sum.lines->pdata[i]));
    g_ptr_array_unref(sum.lines);
    hash_final(hash, ret_sha256);
    *ret_size = sum.size;
}
