/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/compress.h"
#include "base/error.h"
#include "lib/vectors.h"
#include <zstd.h>

#define TEXT_LEN 800

static char text[TEXT_LEN]; /* "a line that repeats\n", forty times */
static GByteArray *frame; /* of it, made by another implementation: repository format, "Vectors" */
static Decompressor *decompressor;

static GByteArray *joined(const GByteArray *a, const char *b, size_t b_len)
{
    GByteArray *both = g_byte_array_new();

    g_byte_array_append(both, a->data, a->len);
    g_byte_array_append(both, (const guint8 *)b, (guint)b_len);
    return both;
}

static bool exact(const GByteArray *in, size_t out_len, GError **error)
{
    g_autofree guint8 *out =
        g_malloc(out_len + 1); // of its own size, so that a sanitizer sees excess

    return decompress_exact(decompressor, in->data, in->len, out, out_len, error);
}

static void gives(const GByteArray *in, const char *want, size_t want_len)
{
    g_autofree char *out = g_malloc(want_len + 1);
    g_autoptr(GByteArray) plain = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(decompress_exact(decompressor, in->data, in->len, out, want_len, &error));
    g_assert_no_error(error);
    g_assert_cmpmem(out, want_len, want, want_len);
    g_assert_true(decompress_bounded(decompressor, in->data, in->len, want_len, &plain, &error));
    g_assert_no_error(error);
    g_assert_cmpmem(plain->data, plain->len, want, want_len);
}

static void is_corrupt(const GByteArray *in, size_t out_len)
{
    g_autoptr(GByteArray) plain = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_false(exact(in, out_len, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_clear_error(&error);
    g_assert_false(decompress_bounded(decompressor, in->data, in->len, out_len, &plain, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_null(plain);
}

static void a_foreign_frame_is_read(void)
{
    gives(frame, text, TEXT_LEN);
}

static void a_frame_of_another_length_is_refused(void)
{
    g_autoptr(GByteArray) plain = NULL;

    is_corrupt(frame, TEXT_LEN - 1);
    is_corrupt(frame, 0);
    g_assert_false(exact(frame, TEXT_LEN + 1, NULL));
    // a bound is only the most
    g_assert_true(
        decompress_bounded(decompressor, frame->data, frame->len, TEXT_LEN + 1, &plain, NULL));
    g_assert_cmpuint(plain->len, ==, TEXT_LEN);
}

static void what_follows_a_frame_must_be_a_frame(void)
{
    for (size_t n = 1; n < 20; n++) {
        g_autoptr(GByteArray) more = joined(frame, "trailing garbage, long", n);

        is_corrupt(more, TEXT_LEN);
    }
}

static void a_cut_frame_is_refused(void)
{
    for (guint len = 0; len < frame->len; len++) {
        g_autoptr(GByteArray) part = g_byte_array_new();

        g_byte_array_append(part, frame->data, len);
        is_corrupt(part, TEXT_LEN);
        is_corrupt(part, 0);
    }
}

static void several_and_skippable_frames_are_read(void)
{
    // RFC 8878, "Skippable Frames": magic number 0x184D2A50 to 5F, length, content
    g_autoptr(GByteArray) skippable = bytes_from_hex("5a2a4d1803000000616263");
    g_autoptr(GByteArray) two = joined(frame, (const char *)frame->data, frame->len);
    g_autoptr(GByteArray) before = joined(skippable, (const char *)frame->data, frame->len);
    g_autoptr(GByteArray) after = joined(two, (const char *)skippable->data, skippable->len);
    g_autofree char *twice = g_malloc(2 * TEXT_LEN);

    memcpy(twice, text, TEXT_LEN);
    memcpy(twice + TEXT_LEN, text, TEXT_LEN);
    gives(two, twice, 2 * TEXT_LEN);
    gives(before, text, TEXT_LEN);
    gives(after, twice, 2 * TEXT_LEN);
    is_corrupt(two, TEXT_LEN);
    gives(skippable, "", 0);
}

static GByteArray *foreign_frame(const void *data, size_t len, ZSTD_cParameter parameter, int value,
                                 bool streamed)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    GByteArray *out = g_byte_array_new();
    ZSTD_outBuffer to = { NULL, ZSTD_compressBound(len), 0 };
    ZSTD_inBuffer from = { data, len, 0 };

    ZSTD_CCtx_setParameter(context, parameter, value);
    g_byte_array_set_size(out, (guint)to.size);
    to.dst = out->data;
    // without the end known at the start the frame has no content size
    if (streamed)
        g_assert_cmpuint(ZSTD_compressStream2(context, &to, &from, ZSTD_e_flush), ==, 0);
    g_assert_cmpuint(ZSTD_compressStream2(context, &to, &from, ZSTD_e_end), ==, 0);
    g_byte_array_set_size(out, (guint)to.pos);
    ZSTD_freeCCtx(context);
    return out;
}

static void a_checksum_is_read_and_checked(void)
{
    g_autoptr(GByteArray) checked = foreign_frame(text, TEXT_LEN, ZSTD_c_checksumFlag, 1, false);

    gives(checked, text, TEXT_LEN);
    checked->data[checked->len - 1] ^= 1;
    is_corrupt(checked, TEXT_LEN);
}

static void a_frame_without_content_size_is_read(void)
{
    g_autoptr(GByteArray) sizeless = foreign_frame(text, TEXT_LEN, ZSTD_c_checksumFlag, 0, true);

    g_assert_cmpuint(ZSTD_getFrameContentSize(sizeless->data, sizeless->len), ==,
                     ZSTD_CONTENTSIZE_UNKNOWN);
    gives(sizeless, text, TEXT_LEN);
    is_corrupt(sizeless, TEXT_LEN - 1);
}

static void a_window_of_512_mib_is_read_where_it_costs_no_memory(void)
{
    g_autoptr(GByteArray) wide = foreign_frame(text, TEXT_LEN, ZSTD_c_windowLog, 29, true);
    g_autoptr(GByteArray) plain = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(exact(wide, TEXT_LEN, NULL));
    g_assert_false(
        decompress_bounded(decompressor, wide->data, wide->len, TEXT_LEN, &plain, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
}

static void a_bomb_stops_at_the_bound(void)
{
    const size_t len = 64u << 20;
    g_autofree guint8 *zeros = g_malloc0(len);
    g_autoptr(GByteArray) bomb = foreign_frame(zeros, len, ZSTD_c_checksumFlag, 0, true);

    g_assert_cmpuint(bomb->len, <, 10000);
    is_corrupt(bomb, 1000000);
    gives(bomb, (const char *)zeros, len);
}

static void damaged_frames_never_write_beyond_the_output(void)
{
    for (unsigned round = 0; round < 20000; round++) {
        g_autoptr(GByteArray) damaged = joined(frame, "", 0);
        g_autofree guint8 *out = g_malloc(TEXT_LEN);
        g_autoptr(GByteArray) plain = NULL;

        for (int i = g_test_rand_int_range(1, 4); i > 0; i--)
            damaged->data[g_test_rand_int_range(0, (gint32)damaged->len)] =
                (guint8)g_test_rand_int_range(0, 256);
        (void)decompress_exact(decompressor, damaged->data, damaged->len, out, TEXT_LEN, NULL);
        if (decompress_bounded(decompressor, damaged->data, damaged->len, TEXT_LEN, &plain, NULL))
            g_assert_cmpuint(plain->len, <=, TEXT_LEN);
    }
}

/* RFC 8878, "Frame Header" */
static void what_we_write_has_the_size_no_checksum_and_a_small_window(void)
{
    static const size_t lengths[] = { 1, TEXT_LEN, 1 << 20, 24 << 20 };
    static const int levels[] = { COMPRESS_LEVEL_MIN, 3, 17, COMPRESS_LEVEL_MAX };

    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        size_t len = lengths[i];
        g_autofree guint8 *data = g_malloc(len);
        g_autofree guint8 *out = g_malloc(compress_bound(len));

        for (size_t at = 0; at < len; at++)
            data[at] = (guint8)text[at % TEXT_LEN];
        for (size_t k = 0; k < G_N_ELEMENTS(levels); k++) {
            g_autoptr(Compressor) compressor = compressor_new(levels[k]);
            g_autofree guint8 *back = g_malloc(len);
            size_t n = compress_into(compressor, data, len, out, compress_bound(len));

            g_assert_cmpuint(n, >, 0);
            g_assert_cmpuint(ZSTD_getFrameContentSize(out, n), ==, len);
            g_assert_cmpuint(out[4] & 0x04, ==, 0); // checksum flag
            if (!(out[4] & 0x20)) // no single segment: a window descriptor follows
                g_assert_cmpuint(10 + (out[5] >> 3), <=, 23);
            else
                g_assert_cmpuint(len, <=, 8u << 20);
            g_assert_cmpuint(ZSTD_findFrameCompressedSize(out, n), ==, n);
            g_assert_true(decompress_exact(decompressor, out, n, back, len, NULL));
            g_assert_cmpmem(back, len, data, len);
        }
    }
}

static void what_does_not_fit_is_left_to_the_caller(void)
{
    g_autoptr(Compressor) compressor = compressor_new(3);
    guint8 noise[4096];
    guint8 out[8192];
    size_t n;

    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (guint8)g_test_rand_int_range(0, 256);
    g_assert_cmpuint(compress_into(compressor, noise, sizeof noise, out, sizeof noise - 1), ==, 0);
    // and the compressor is as good as before
    n = compress_into(compressor, text, TEXT_LEN, out, sizeof out);
    g_assert_cmpuint(n, >, 0);
    g_assert_true(decompress_exact(decompressor, out, n, noise, TEXT_LEN, NULL));
    g_assert_cmpmem(noise, TEXT_LEN, text, TEXT_LEN);
    g_assert_cmpuint(compress_into(compressor, text, TEXT_LEN, out, n - 1), ==, 0);
}

int main(int argc, char **argv)
{
    int failed;

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < TEXT_LEN; i += 20)
        memcpy(text + i, "a line that repeats\n", 20);
    frame = bytes_from_hex(
        "28b52ffd602002dd0000a061206c696e65207468617420726570656174730a0100125e3599");
    decompressor = decompressor_new();
    g_test_add_func("/compress/foreign", a_foreign_frame_is_read);
    g_test_add_func("/compress/length", a_frame_of_another_length_is_refused);
    g_test_add_func("/compress/garbage", what_follows_a_frame_must_be_a_frame);
    g_test_add_func("/compress/cut", a_cut_frame_is_refused);
    g_test_add_func("/compress/several", several_and_skippable_frames_are_read);
    g_test_add_func("/compress/checksum", a_checksum_is_read_and_checked);
    g_test_add_func("/compress/sizeless", a_frame_without_content_size_is_read);
    g_test_add_func("/compress/window", a_window_of_512_mib_is_read_where_it_costs_no_memory);
    g_test_add_func("/compress/bomb", a_bomb_stops_at_the_bound);
    g_test_add_func("/compress/damaged", damaged_frames_never_write_beyond_the_output);
    g_test_add_func("/compress/written", what_we_write_has_the_size_no_checksum_and_a_small_window);
    g_test_add_func("/compress/room", what_does_not_fit_is_left_to_the_caller);
    failed = g_test_run();
    decompressor_free(decompressor);
    g_byte_array_unref(frame);
    return failed;
}
