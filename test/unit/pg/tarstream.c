/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/tarstream.h"
#include "base/error.h"
#include "lib/recorded.h"
#include <archive.h>
#include <archive_entry.h>

/* What came, one line an entry, and all content behind each other. */
typedef struct {
    GString *lines;
    GByteArray *content;
    uint64_t left;
    unsigned n_open;
} Seen;

static bool seen_begin(void *user, const TarEntry *entry, GError **error)
{
    Seen *seen = user;

    (void)error;
    g_assert_cmpuint(seen->n_open++, ==, 0);
    seen->left = entry->size;
    g_string_append_printf(
        seen->lines, "%s %o %u:%u %" G_GINT64_FORMAT " %" G_GUINT64_FORMAT "%s%s\n", entry->path,
        entry->mode, entry->uid, entry->gid, entry->mtime, entry->size, entry->target ? " -> " : "",
        entry->target ? entry->target : "");
    return true;
}

static bool seen_data(void *user, const void *data, size_t len, GError **error)
{
    Seen *seen = user;

    (void)error;
    g_assert_cmpuint(len, >, 0);
    g_assert_cmpuint(len, <=, seen->left);
    seen->left -= len;
    if (seen->content->len < 64 << 20)
        g_byte_array_append(seen->content, data, (guint)len);
    return true;
}

static bool seen_end(void *user, GError **error)
{
    Seen *seen = user;

    (void)error;
    g_assert_cmpuint(seen->left, ==, 0);
    g_assert_cmpuint(seen->n_open--, ==, 1);
    return true;
}

static const TarReceiver receiver = { seen_begin, seen_data, seen_end };

static void seen_init(Seen *seen)
{
    *seen = (Seen){ .lines = g_string_new(NULL), .content = g_byte_array_new() };
}

static void seen_done(Seen *seen)
{
    g_string_free(seen->lines, TRUE);
    g_byte_array_unref(seen->content);
}

static bool feed_slices(TarStream *stream, const uint8_t *data, size_t len, size_t slice,
                        GError **error)
{
    for (size_t at = 0; at < len; at += slice)
        if (!tar_stream_feed(stream, data + at, MIN(slice, len - at), error))
            return false;
    return true;
}

static bool parse(const uint8_t *data, size_t len, size_t slice, bool terminated, Seen *seen,
                  GError **error)
{
    g_autoptr(TarStream) stream = tar_stream_new(&receiver, seen);

    return feed_slices(stream, data, len, slice, error) &&
           tar_stream_finish(stream, terminated, error);
}

/* The other implementation: libarchive. */
static void read_with_libarchive(const GByteArray *tar, Seen *seen)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    g_autofree uint8_t *buffer = g_malloc(1 << 16);
    la_ssize_t n;

    g_assert_cmpint(archive_read_support_format_tar(archive), ==, ARCHIVE_OK);
    g_assert_cmpint(archive_read_open_memory(archive, tar->data, tar->len), ==, ARCHIVE_OK);
    while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
        g_autofree char *path = g_strdup(archive_entry_pathname(entry));
        const char *target = archive_entry_symlink(entry);

        if (g_str_has_suffix(path, "/"))
            path[strlen(path) - 1] = '\0';
        g_string_append_printf(
            seen->lines, "%s %o %u:%u %" G_GINT64_FORMAT " %" G_GUINT64_FORMAT "%s%s\n",
            g_str_has_prefix(path, "./") ? path + 2 : path, archive_entry_mode(entry),
            (unsigned)archive_entry_uid(entry), (unsigned)archive_entry_gid(entry),
            (gint64)archive_entry_mtime(entry), (guint64)archive_entry_size(entry),
            target ? " -> " : "", target ? target : "");
        while ((n = archive_read_data(archive, buffer, 1 << 16)) > 0)
            g_byte_array_append(seen->content, buffer, (guint)n);
        g_assert_cmpint(n, ==, 0);
    }
    archive_read_free(archive);
}

static void servers_streams_read_as_another_reader_reads_them(void)
{
    static const size_t slices[] = { 1, 7, 511, 512, 513, 8192, 1 << 20 };

    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        int release = recorded_releases[i];
        g_autoptr(GByteArray) tar = recorded(release, "base.tar");
        Seen want;

        seen_init(&want);
        read_with_libarchive(tar, &want);
        g_assert_nonnull(strstr(want.lines->str, "backup_label 100600 "));
        for (size_t k = 0; k < G_N_ELEMENTS(slices); k++) {
            g_autoptr(GError) error = NULL;
            Seen got;

            seen_init(&got);
            parse(tar->data, tar->len, slices[k], release >= 15, &got, &error);
            g_assert_no_error(error);
            g_assert_cmpstr(got.lines->str, ==, want.lines->str);
            g_assert_cmpmem(got.content->data, got.content->len, want.content->data,
                            want.content->len);
            seen_done(&got);
        }
        seen_done(&want);
    }
}

static void a_stream_cut_anywhere_is_not_whole(void)
{
    g_autoptr(GByteArray) tar = recorded(15, "base.tar");

    for (size_t len = 0; len < tar->len; len += len < 4096 ? 1 : 509) {
        g_autoptr(GError) error = NULL;
        Seen seen;

        seen_init(&seen);
        g_assert_false(parse(tar->data, len, 4096, true, &seen, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        seen_done(&seen);
    }
}

/* ---- headers of our own ---- */

static void put_number(uint8_t *field, size_t len, uint64_t value)
{
    g_autofree char *text = g_strdup_printf("%0*" G_GINT64_MODIFIER "o", (int)len - 1, value);

    memcpy(field, text, len);
}

static void seal(uint8_t *header)
{
    unsigned sum = 0;

    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += header[i];
    put_number(header + 148, 8, sum);
}

static void make_header(uint8_t *header, const char *path, char type, uint64_t size)
{
    memset(header, 0, 512);
    memcpy(header, path, MIN(strlen(path), 100));
    put_number(header + 100, 8, 0600);
    put_number(header + 108, 8, 26);
    put_number(header + 116, 8, 26);
    put_number(header + 124, 12, size);
    put_number(header + 136, 12, 1700000000);
    header[156] = (uint8_t)type;
    memcpy(header + 257,
           "ustar\0"
           "00",
           8);
    seal(header);
}

static void large_sizes_are_in_base_256(void)
{
    const uint64_t size = UINT64_C(9) << 30;
    g_autofree uint8_t *block = g_malloc0(1 << 20);
    g_autoptr(GError) error = NULL;
    g_autoptr(TarStream) stream = NULL;
    Seen seen;

    seen_init(&seen);
    stream = tar_stream_new(&receiver, &seen);
    make_header(block, "base/5/16384", '0', 0);
    memset(block + 124, 0, 12);
    block[124] = 0x80;
    for (int i = 0; i < 8; i++)
        block[135 - i] = (uint8_t)(size >> (8 * i));
    seal(block);
    tar_stream_feed(stream, block, 512, &error);
    g_assert_no_error(error);
    memset(block, 0, 512);
    for (uint64_t fed = 0; fed < size; fed += 1 << 20)
        g_assert_true(tar_stream_feed(stream, block, 1 << 20, &error));
    g_assert_cmpuint(seen.n_open, ==, 0);
    g_assert_true(tar_stream_feed(stream, block, 1024, &error));
    g_assert_true(tar_stream_finish(stream, true, &error));
    g_assert_cmpstr(seen.lines->str, ==, "base/5/16384 100600 26:26 1700000000 9663676416\n");
    seen_done(&seen);
}

static void what_no_server_sends_is_corrupt(void)
{
    static const struct {
        const char *path;
        char type;
        uint64_t size;
    } cases[] = {
        { "", '0', 0 },     { "/etc/passwd", '0', 0 }, { "../x", '0', 0 }, { "a/../b", '0', 0 },
        { "a//b", '0', 0 }, { "a/.", '0', 0 },         { ".", '5', 0 },    { "./", '5', 0 },
        { "a/..", '5', 0 }, { "a", '1', 0 },           { "a", '3', 0 },    { "a", '6', 0 },
        { "a", 'x', 0 },    { "a", 'L', 0 },           { "a", '2', 0 },    { "a/", '5', 512 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        uint8_t block[1536] = { 0 };
        Seen seen;

        g_test_message("%s %c", cases[i].path, cases[i].type);
        seen_init(&seen);
        make_header(block, cases[i].path, cases[i].type, cases[i].size);
        g_assert_false(parse(block, sizeof block, 100, true, &seen, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        seen_done(&seen);
    }
}

static void one_changed_bit_in_a_header_is_seen(void)
{
    uint8_t sound[1536] = { 0 };

    make_header(sound, "PG_VERSION", '0', 0);
    for (size_t bit = 0; bit < 512 * 8; bit++) {
        g_autoptr(GError) error = NULL;
        uint8_t block[1536];
        Seen seen;

        seen_init(&seen);
        memcpy(block, sound, sizeof block);
        block[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (parse(block, sizeof block, sizeof block, true, &seen, &error)) {
            // a space for a zero is another spelling of the same checksum
            g_assert_cmpuint(bit / 8, >=, 148);
            g_assert_cmpuint(bit / 8, <, 156);
            g_assert_cmpstr(seen.lines->str, ==, "PG_VERSION 100600 26:26 1700000000 0\n");
        } else {
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        }
        seen_done(&seen);
    }
}

static void nothing_may_follow_the_end(void)
{
    g_autoptr(GError) error = NULL;
    uint8_t blocks[2048] = { 0 };
    Seen seen;

    seen_init(&seen);
    make_header(blocks + 1024, "PG_VERSION", '0', 0);
    g_assert_false(parse(blocks, sizeof blocks, 512, true, &seen, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    seen_done(&seen);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tarstream/servers", servers_streams_read_as_another_reader_reads_them);
    g_test_add_func("/tarstream/cut", a_stream_cut_anywhere_is_not_whole);
    g_test_add_func("/tarstream/large", large_sizes_are_in_base_256);
    g_test_add_func("/tarstream/corrupt", what_no_server_sends_is_corrupt);
    g_test_add_func("/tarstream/bits", one_changed_bit_in_a_header_is_seen);
    g_test_add_func("/tarstream/after", nothing_may_follow_the_end);
    return g_test_run();
}
