/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/archivesink.h"

#include "base/error.h"
#include "codec/json.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <string.h>

typedef struct {
    Sink base;
    ArchiveKind kind;
    Outlet *out;
    GError *failure;         /* of out */
    struct archive *archive; /* opened with the first entry */
    locale_t utf8;           /* 0 where the system has none */
    uint64_t size, written;  /* of the open entry: announced in its header, gone out */
} ArchiveSink;

/* ---- the stream ---- */

static la_ssize_t put(struct archive *archive, void *data, const void *bytes, size_t len)
{
    ArchiveSink *sink = data;

    if (!sink->failure && outlet_write(sink->out, bytes, len, &sink->failure))
        return (la_ssize_t)len;
    archive_set_error(archive, EIO, "%s", sink->failure->message);
    return -1;
}

static bool fail(ArchiveSink *sink, GError **error)
{
    const char *why = archive_error_string(sink->archive);

    if (sink->failure)
        g_propagate_error(error, g_error_copy(sink->failure));
    else
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "writing an archive: %s",
                    why ? why : "libarchive failed");
    return false;
}

static bool start(ArchiveSink *sink, GError **error)
{
    int set;

    sink->archive = archive_write_new();
    if (sink->kind == ARCHIVE_KIND_ZIP) {
        set = archive_write_set_format_zip(sink->archive);
        if (set == ARCHIVE_OK) // a zip ends with its end, and not on a block
            set = archive_write_set_bytes_in_last_block(sink->archive, 1);
    } else {
        set = archive_write_set_format_pax(sink->archive);
        if (set == ARCHIVE_OK) // the one of two headers for attributes that GNU tar knows
            set = archive_write_set_options(sink->archive, "pax:xattrheader=SCHILY");
    }
    return (set == ARCHIVE_OK &&
            archive_write_open(sink->archive, sink, NULL, put, NULL) == ARCHIVE_OK) ||
           fail(sink, error);
}

/* ---- entries ---- */

/* libarchive writes the fraction of a time before 1970 with the wrong sign; such times go without.
 * Seen with 3.6.2. */
static long fraction(Timestamp time)
{
    return time.sec < 0 ? 0 : (long)time.nsec;
}

/* A zip says of all its names that they are UTF-8; bytes that are not come out as %XX. */
static char *name_in_zip(const char *path)
{
    GString *name = g_string_new(NULL);

    for (size_t left = strlen(path), n; left > 0; path += n, left -= n) {
        n = utf8_char(path, left, NULL);
        if (n > 0)
            g_string_append_len(name, path, (gssize)n);
        else
            g_string_append_printf(name, "%%%02X", (unsigned char)*path);
        n = MAX(n, 1);
    }
    return g_string_free(name, FALSE);
}

static struct archive_entry *describe(ArchiveKind kind, const Entry *entry)
{
    const Node *node = entry->node;
    struct archive_entry *header = archive_entry_new();
    const char *path = entry->path + strspn(entry->path, "/");
    g_autofree char *name = kind == ARCHIVE_KIND_ZIP ? name_in_zip(path) : g_strdup(path);

    archive_entry_set_pathname(header, name);
    archive_entry_set_mode(header, node->mode);
    archive_entry_set_uid(header, node->uid);
    archive_entry_set_gid(header, node->gid);
    archive_entry_set_uname(header, node->user);
    archive_entry_set_gname(header, node->group);
    archive_entry_set_mtime(header, node->mtime.sec, fraction(node->mtime));
    archive_entry_set_atime(header, node->atime.sec, fraction(node->atime));
    archive_entry_set_ctime(header, node->ctime.sec, fraction(node->ctime));
    archive_entry_set_size(header, S_ISREG(node->mode) ? (la_int64_t)node->size : 0);
    if (S_ISLNK(node->mode))
        archive_entry_set_symlink(header, node->linktarget ? node->linktarget : "");
    if (S_ISBLK(node->mode) || S_ISCHR(node->mode))
        archive_entry_set_rdev(header, node->device);
    for (guint i = 0; node->xattrs && i < node->xattrs->len; i++) {
        const NodeXattr *xattr = &g_array_index(node->xattrs, NodeXattr, i);
        gsize len;
        const void *value = g_bytes_get_data(xattr->value, &len);

        archive_entry_xattr_add_entry(header, xattr->name, value, len);
    }
    return header;
}

static bool can_hold(ArchiveKind kind, const Node *node)
{
    if (S_ISREG(node->mode) || S_ISDIR(node->mode) || S_ISLNK(node->mode))
        return true;
    return kind == ARCHIVE_KIND_TAR &&
           (S_ISBLK(node->mode) || S_ISCHR(node->mode) || S_ISFIFO(node->mode));
}

static bool archive_sink_begin(Sink *base, const Entry *entry, void **ret_handle, GError **error)
{
    ArchiveSink *sink = (ArchiveSink *)base;
    struct archive_entry *header;
    locale_t before;
    int status;

    if (!can_hold(sink->kind, entry->node)) {
        g_set_error(error, BS_ERROR, BS_ERROR_SOFT_SKIP, "%s: this archive cannot hold a %s",
                    entry->path, node_type_name(entry->node));
        return false;
    }
    if (!sink->archive && !start(sink, error))
        return false;
    header = describe(sink->kind, entry);
    // libarchive asks the locale what names are: UTF-8, whatever the user's is; in a tar others
    // are marked as bytes
    before = uselocale(sink->utf8 ? sink->utf8 : LC_GLOBAL_LOCALE);
    status = archive_write_header(sink->archive, header);
    uselocale(before);
    archive_entry_free(header);
    if (status < ARCHIVE_WARN)
        return fail(sink, error);
    sink->size = S_ISREG(entry->node->mode) ? entry->node->size : 0;
    sink->written = 0;
    *ret_handle = sink;
    return true;
}

static bool append(ArchiveSink *sink, const void *data, size_t len, GError **error)
{
    if (len > sink->size - sink->written) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "the content of a file is longer than its size");
        return false;
    }
    if (len > 0 && archive_write_data(sink->archive, data, len) != (la_ssize_t)len)
        return fail(sink, error);
    sink->written += len;
    return true;
}

static bool fill_with_zeros(ArchiveSink *sink, uint64_t end, GError **error)
{
    static const char zeros[64 * 1024];

    while (sink->written < end)
        if (!append(sink, zeros, MIN(sizeof zeros, end - sink->written), error))
            return false;
    return true;
}

static bool archive_sink_write(Sink *base, void *handle, uint64_t offset, const void *data,
                               size_t len, GError **error)
{
    ArchiveSink *sink = handle;

    (void)base;
    g_assert(offset >= sink->written);
    return fill_with_zeros(sink, offset, error) && append(sink, data, len, error);
}

static bool archive_sink_end(Sink *base, void *handle, const Node *node, GError **error)
{
    ArchiveSink *sink = handle;

    (void)base;
    (void)node; // its header is written
    return fill_with_zeros(sink, sink->size, error);
}

/* An archive cannot take an entry back: what follows would not be a sound one. */
static void archive_sink_abandon(Sink *base, void *handle)
{
    ArchiveSink *sink = handle;

    (void)base;
    if (sink->archive)
        archive_write_fail(sink->archive);
}

static bool archive_sink_finish(Sink *base, GError **error)
{
    ArchiveSink *sink = (ArchiveSink *)base;

    if (!sink->archive && !start(sink, error))
        return false;
    return archive_write_close(sink->archive) == ARCHIVE_OK || fail(sink, error);
}

static void archive_sink_free(Sink *base)
{
    ArchiveSink *sink = (ArchiveSink *)base;

    if (sink->archive) {
        archive_write_fail(
            sink->archive); // after close this does nothing; before, no end is written
        archive_write_free(sink->archive);
    }
    if (sink->utf8)
        freelocale(sink->utf8);
    g_clear_error(&sink->failure);
    g_free(sink);
}

static const SinkOps archive_ops = {
    .name = "archive",
    .begin = archive_sink_begin,
    .write = archive_sink_write,
    .end = archive_sink_end,
    .abandon = archive_sink_abandon,
    .finish = archive_sink_finish,
    .free = archive_sink_free,
};

Sink *archive_sink_new(ArchiveKind kind, Outlet *out)
{
    ArchiveSink *sink = g_new0(ArchiveSink, 1);

    sink->base.ops = &archive_ops;
    sink->kind = kind;
    sink->out = out;
    sink->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return &sink->base;
}
