/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a file to import, and what must hold of all that comes out of it: no name, link or
 * kind of file that leads out of the top folder, nothing twice, each in a directory that is open;
 * and when the import says that all is well, everything was ended. */
#pragma once
#include "source/import.h"
#include <string.h>

/* ---- bytes ---- */

typedef struct {
    Inlet base;
    const uint8_t *data;
    size_t len;
} BytesInlet;

static bool bytes_read(Inlet *base, void *buf, size_t len, size_t *ret_n, GError **error)
{
    BytesInlet *inlet = (BytesInlet *)base;

    (void)error;
    *ret_n = MIN(len, inlet->len);
    memcpy(buf, inlet->data, *ret_n);
    inlet->data += *ret_n;
    inlet->len -= *ret_n;
    return true;
}

static void bytes_free(Inlet *base)
{
    g_free(base);
}

static const InletOps bytes_ops = { .name = "bytes", .read = bytes_read, .free = bytes_free };

/* data is borrowed for the inlet's life. */
static inline Inlet *bytes_inlet(const uint8_t *data, size_t len)
{
    BytesInlet *inlet = g_new0(BytesInlet, 1);

    inlet->base.ops = &bytes_ops;
    inlet->data = data ? data : (const uint8_t *)"";
    inlet->len = len;
    return &inlet->base;
}

/* ---- a sink that looks ---- */

typedef struct {
    char *path;
    mode_t mode;
    uint64_t size;
    bool open;
} Seen;

typedef struct {
    Sink base;
    GHashTable *seen; /* path -> Seen */
} LookingSink;

/* Without the name of the top folder: "" is the folder itself. */
static inline const char *below_top(const char *path)
{
    const char *rest;

    g_assert_true(*path == '/' && path[1] && path[1] != '/');
    rest = strchr(path + 1, '/');
    return rest ? rest + 1 : "";
}

/* A name, or where a link of that name leads, taken word by word: a link may lead to the top folder
 * itself. */
static inline void assert_stays(const char *path, const char *target)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *whole = g_strconcat(target ? folder : path, "/", target, NULL);
    g_auto(GStrv) words = g_strsplit(whole, "/", -1);
    int depth = 0;

    g_assert_true(!target || *target != '/');
    for (char **word = words; *word; word++) {
        if (strcmp(*word, "..") == 0)
            depth--;
        else if (**word && strcmp(*word, ".") != 0)
            depth++;
        g_assert_true(depth >= 0);
        g_assert_true(target || strcmp(*word, "..") != 0);
    }
    g_assert_cmpint(depth, >=, target ? 0 : 1);
}

static inline bool look_begin(Sink *base, const Entry *entry, void **ret_handle, GError **error)
{
    LookingSink *sink = (LookingSink *)base;
    const Node *node = entry->node;
    g_autofree char *folder = g_path_get_dirname(entry->path);
    const Seen *parent = g_hash_table_lookup(sink->seen, folder);
    Seen *seen = g_new0(Seen, 1);

    (void)error;
    g_assert_true(S_ISREG(node->mode) || S_ISDIR(node->mode) || S_ISLNK(node->mode));
    g_assert_cmpuint(node->mode & 07000, ==, 0);
    g_assert_true(strcmp(folder, "/") == 0 || (parent && S_ISDIR(parent->mode) && parent->open));
    assert_stays(entry->path, NULL);
    if (S_ISLNK(node->mode))
        assert_stays(below_top(entry->path), node->linktarget);
    *seen = (Seen){ g_strdup(entry->path), node->mode, 0, true };
    g_assert_true(g_hash_table_insert(sink->seen, seen->path, seen));
    *ret_handle = seen;
    return true;
}

static inline bool look_write(Sink *base, void *handle, uint64_t offset, const void *data,
                              size_t len, GError **error)
{
    Seen *seen = handle;

    (void)base;
    (void)error;
    g_assert_true(seen->open && S_ISREG(seen->mode) && data && offset == seen->size);
    seen->size += len;
    return true;
}

static inline bool look_end(Sink *base, void *handle, const Node *node, GError **error)
{
    Seen *seen = handle;

    (void)base;
    (void)error;
    g_assert_true(seen->open);
    g_assert_true(!node || !S_ISREG(seen->mode) || node->size == seen->size);
    seen->open = false;
    return true;
}

static inline void look_enter(Sink *base, void *handle)
{
    (void)base;
    g_assert_true(((Seen *)handle)->open && S_ISDIR(((Seen *)handle)->mode));
}

static inline void look_abandon(Sink *base, void *handle)
{
    (void)base;
    ((Seen *)handle)->open = false;
}

static inline bool look_finish(Sink *base, GError **error)
{
    (void)base;
    (void)error;
    return true;
}

static inline void look_free(Sink *base)
{
    g_hash_table_unref(((LookingSink *)base)->seen);
    g_free(base);
}

static inline void seen_free(gpointer data)
{
    g_free(((Seen *)data)->path);
    g_free(data);
}

static const SinkOps look_ops = {
    .name = "looking",
    .begin = look_begin,
    .write = look_write,
    .enter = look_enter,
    .end = look_end,
    .abandon = look_abandon,
    .finish = look_finish,
    .free = look_free,
};

static inline Sink *looking_sink_new(void)
{
    LookingSink *sink = g_new0(LookingSink, 1);

    sink->base.ops = &look_ops;
    sink->seen = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, seen_free);
    return &sink->base;
}

static inline void assert_all_ended(Sink *base)
{
    GHashTableIter iter;
    gpointer seen;

    g_hash_table_iter_init(&iter, ((LookingSink *)base)->seen);
    while (g_hash_table_iter_next(&iter, NULL, &seen))
        g_assert_false(((Seen *)seen)->open);
}

/* ---- one import ---- */

/* except: a format that is only recognised; IMPORT_DETECT: none. */
static inline void import_bytes(const uint8_t *data, size_t len, const char *file,
                                ImportFormat format, ImportFormat except, const json_t *sidecar)
{
    ImportOptions options = { .origin = file,
                              .file = file,
                              .modified_at = -1,
                              .format = format,
                              .bounds = { .size_max = 8u << 20, .ratio_max = 1000 },
                              .entries_max = 1000,
                              .sidecar = sidecar };
    g_autoptr(Source) source = import_source_new(bytes_inlet(data, len), &options, NULL);
    g_autoptr(Sink) sink = looking_sink_new();
    SourceRun run = { 0 };

    if (!source || import_source_format(source) == except)
        return;
    if (source->ops->backup(source, sink, &run, NULL))
        assert_all_ended(sink);
}
