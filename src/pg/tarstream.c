/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/tarstream.h"
#include "base/error.h"
#include <string.h>

#define BLOCK 512
#define EMPTY 2 /* blocks of zeros that end an archive */

/* Offsets and lengths in a header: POSIX, "ustar Interchange Format". */
enum {
    NAME = 0,
    NAME_LEN = 100,
    MODE = 100,
    UID = 108,
    GID = 116,
    SIZE = 124,
    MTIME = 136,
    NUMBER_LEN = 8,
    LONG_LEN = 12,
    CHECKSUM = 148,
    TYPE = 156,
    LINK = 157,
    LINK_LEN = 100,
    MAGIC = 257,
    PREFIX = 345,
    PREFIX_LEN = 155,
};

struct TarStream {
    const TarReceiver *receiver;
    void *user;
    uint8_t header[BLOCK];
    size_t header_len;
    uint64_t left;    /* of the open entry's content */
    size_t padding;   /* that follows it, still to come */
    unsigned n_empty; /* blocks of zeros seen */
    bool open;
    uint64_t offset; /* of the next byte, for messages */
};

TarStream *tar_stream_new(const TarReceiver *receiver, void *user)
{
    TarStream *stream = g_new0(TarStream, 1);

    stream->receiver = receiver;
    stream->user = user;
    return stream;
}

void tar_stream_free(TarStream *stream)
{
    g_free(stream);
}

static bool corrupt(const TarStream *stream, const char *what, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "tar stream, header before byte %" G_GUINT64_FORMAT ": %s", stream->offset, what);
    return false;
}

/* ---- fields ---- */

/* Octal digits, ended by a space, a zero or the field; or, with the first bit set, a number in base
 * 256 (GNU tar's extension, which PostgreSQL writes when the digits do not suffice). */
static bool parse_number(const uint8_t *field, size_t len, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t i = 0;

    if (field[0] & 0x80) {
        // 0xff begins a negative number
        if (field[0] != 0x80)
            return false;
        for (i = 1; i < len; i++) {
            if (value >> 56)
                return false;
            value = value << 8 | field[i];
        }
        *ret_value = value;
        return true;
    }
    while (i < len && field[i] == ' ')
        i++;
    for (; i < len && field[i] >= '0' && field[i] <= '7'; i++)
        value = value << 3 | (uint64_t)(field[i] - '0');
    for (; i < len; i++)
        if (field[i] != ' ' && field[i] != '\0')
            return false;
    *ret_value = value;
    return true;
}

static bool checksum_fits(const uint8_t *header)
{
    uint64_t want, sum = 0;

    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= CHECKSUM && i < CHECKSUM + NUMBER_LEN ? ' ' : header[i];
    return parse_number(header + CHECKSUM, NUMBER_LEN, &want) && sum == want;
}

static bool is_empty(const uint8_t *header)
{
    for (size_t i = 0; i < BLOCK; i++)
        if (header[i])
            return false;
    return true;
}

static char *take_text(const uint8_t *field, size_t len)
{
    return g_strndup((const char *)field, strnlen((const char *)field, len));
}

/* Without "./" and the slash of directories and links; NULL for a path that is none inside. */
static char *take_path(const uint8_t *header)
{
    g_autofree char *name = take_text(header + NAME, NAME_LEN);
    g_autofree char *prefix = take_text(header + PREFIX, PREFIX_LEN);
    g_autofree char *joined =
        *prefix ? g_strconcat(prefix, "/", name, NULL) : g_steal_pointer(&name);
    const char *path = g_str_has_prefix(joined, "./") ? joined + 2 : joined;
    g_auto(GStrv) parts = NULL;
    size_t len = strlen(path);

    if (len > 0 && path[len - 1] == '/')
        len--;
    g_autofree char *trimmed = g_strndup(path, len);

    parts = g_strsplit(trimmed, "/", -1);
    for (char **part = parts; *part; part++)
        if (!**part || strcmp(*part, ".") == 0 || strcmp(*part, "..") == 0)
            return NULL;
    return *parts ? g_steal_pointer(&trimmed) : NULL;
}

static bool take_type(const TarStream *stream, TarEntry *entry, GError **error)
{
    switch (stream->header[TYPE]) {
    case '0':
    case '\0':
        entry->mode |= S_IFREG;
        return true;
    case '2':
        entry->mode |= S_IFLNK;
        return true;
    case '5':
        entry->mode |= S_IFDIR;
        return true;
    default:
        return corrupt(stream, "an entry that is no file, directory or symbolic link", error);
    }
}

static bool take_numbers(const TarStream *stream, TarEntry *entry, GError **error)
{
    const uint8_t *header = stream->header;
    uint64_t mode, uid, gid, mtime;

    if (!parse_number(header + MODE, NUMBER_LEN, &mode) ||
        !parse_number(header + UID, NUMBER_LEN, &uid) ||
        !parse_number(header + GID, NUMBER_LEN, &gid) ||
        !parse_number(header + SIZE, LONG_LEN, &entry->size) ||
        !parse_number(header + MTIME, LONG_LEN, &mtime) || uid > UINT32_MAX || gid > UINT32_MAX ||
        mtime > INT64_MAX || entry->size > INT64_MAX)
        return corrupt(stream, "a number that is none", error);
    entry->mode = (mode_t)(mode & 07777);
    entry->uid = (uint32_t)uid;
    entry->gid = (uint32_t)gid;
    entry->mtime = (int64_t)mtime;
    return true;
}

/* ---- the stream ---- */

static bool begin_entry(TarStream *stream, GError **error)
{
    TarEntry entry = { 0 };
    g_autofree char *path = NULL, *target = NULL;

    if (memcmp(stream->header + MAGIC, "ustar", 5) != 0 || !checksum_fits(stream->header))
        return corrupt(stream, "this is no tar header, or it is damaged", error);
    if (!take_numbers(stream, &entry, error) || !take_type(stream, &entry, error))
        return false;
    entry.path = path = take_path(stream->header);
    if (!path)
        return corrupt(stream, "a path that leads out of the archive", error);
    if (S_ISLNK(entry.mode)) {
        entry.target = target = take_text(stream->header + LINK, LINK_LEN);
        if (!*target)
            return corrupt(stream, "a symbolic link without a target", error);
    }
    if (!S_ISREG(entry.mode) && entry.size > 0)
        return corrupt(stream, "content in an entry that can have none", error);
    stream->left = entry.size;
    stream->padding = (size_t)(-entry.size % BLOCK);
    stream->open = true;
    return stream->receiver->begin(stream->user, &entry, error);
}

static bool take_header(TarStream *stream, GError **error)
{
    stream->header_len = 0;
    if (is_empty(stream->header)) {
        stream->n_empty++;
        return true;
    }
    if (stream->n_empty > 0)
        return corrupt(stream, "something after the end", error);
    return begin_entry(stream, error);
}

/* Takes of the content, of the padding behind it, or of the next header; ret_taken: how much. */
static bool take_some(TarStream *stream, const uint8_t *data, size_t len, size_t *ret_taken,
                      GError **error)
{
    size_t n;

    if (stream->left > 0) {
        n = *ret_taken = (size_t)MIN(stream->left, len);
        stream->left -= n;
        stream->offset += n;
        return stream->receiver->data(stream->user, data, n, error);
    }
    if (stream->padding > 0) {
        n = *ret_taken = MIN(stream->padding, len);
        stream->padding -= n;
        stream->offset += n;
        return true;
    }
    n = *ret_taken = MIN(BLOCK - stream->header_len, len);
    memcpy(stream->header + stream->header_len, data, n);
    stream->header_len += n;
    stream->offset += n;
    return stream->header_len < BLOCK || take_header(stream, error);
}

static bool end_entry(TarStream *stream, GError **error)
{
    if (!stream->open || stream->left > 0)
        return true;
    stream->open = false;
    return stream->receiver->end(stream->user, error);
}

bool tar_stream_feed(TarStream *stream, const void *data, size_t len, GError **error)
{
    const uint8_t *bytes = data;

    while (len > 0) {
        size_t n;

        if (!take_some(stream, bytes, len, &n, error) || !end_entry(stream, error))
            return false;
        bytes += n;
        len -= n;
    }
    return true;
}

bool tar_stream_finish(TarStream *stream, bool terminated, GError **error)
{
    if (stream->open || stream->padding > 0 || stream->header_len > 0 ||
        (terminated && stream->n_empty < EMPTY)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "tar stream: it ends early, after %" G_GUINT64_FORMAT " bytes", stream->offset);
        return false;
    }
    return true;
}
