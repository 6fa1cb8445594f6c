/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/outlet.h"
#include "base/error.h"
#include "codec/hash.h"
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define PIECE (1024 * 1024)

/* An outlet that keeps what comes, up to a bound at which it fails. */
typedef struct {
    Outlet base;
    GByteArray *bytes;
    size_t bound;
    bool finished;
} KeepOutlet;

static bool keep_write(Outlet *base, const void *data, size_t len, GError **error)
{
    KeepOutlet *keep = (KeepOutlet *)base;

    if (keep->bytes->len + len > keep->bound) {
        g_set_error(error, BS_ERROR, BS_ERROR_NO_SPACE, "full");
        return false;
    }
    g_byte_array_append(keep->bytes, data, (guint)len);
    return true;
}

static bool keep_finish(Outlet *base, GError **error)
{
    (void)error;
    ((KeepOutlet *)base)->finished = true;
    return true;
}

static void keep_free(Outlet *base)
{
    (void)base; // the test's own
}

static const OutletOps keep_ops = { "keep", keep_write, keep_finish, keep_free };

static KeepOutlet keep_new(size_t bound)
{
    return (KeepOutlet){ { &keep_ops }, g_byte_array_new(), bound, false };
}

/* Half of it repeats, half does not. */
static GByteArray *input_of(size_t len)
{
    GByteArray *input = g_byte_array_sized_new((guint)len);
    uint32_t state = 1;

    g_byte_array_set_size(input, (guint)len);
    for (size_t i = 0; i < len; i++) {
        state = state * 1664525 + 1013904223;
        input->data[i] = (i / 5000) % 2 ? (uint8_t)(state >> 24) : (uint8_t)("some text "[i % 10]);
    }
    return input;
}

static void write_in_steps(Outlet *outlet, const GByteArray *input, size_t step)
{
    for (size_t at = 0; at < input->len; at += step) {
        g_autoptr(GError) error = NULL;

        outlet_write(outlet, input->data + at, MIN(step, input->len - at), &error);
        g_assert_no_error(error);
    }
}

static void assert_gunzips(const GByteArray *gz, const GByteArray *input)
{
    g_autofree uint8_t *plain = g_malloc(input->len + 1);
    z_stream stream = { .next_in = gz->data, .avail_in = gz->len };

    stream.next_out = plain;
    stream.avail_out = input->len + 1;
    g_assert_cmpint(inflateInit2(&stream, 16 + MAX_WBITS), ==, Z_OK);
    // one member, whole, with the right checksum and length, and nothing behind it
    g_assert_cmpint(inflate(&stream, Z_FINISH), ==, Z_STREAM_END);
    g_assert_cmpuint(stream.avail_in, ==, 0);
    g_assert_cmpmem(plain, (gsize)stream.total_out, input->data, input->len);
    inflateEnd(&stream);
}

static const size_t sizes[] = { 0, 1, 4096, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 4 * PIECE + 5 };

static void gzip_is_one_stream_of_any_length(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        for (unsigned threads = 1; threads <= 2; threads++) {
            KeepOutlet keep = keep_new(SIZE_MAX);
            g_autoptr(Outlet) outlet = outlet_gzip_new(&keep.base, (int)(threads * 4), threads);
            g_autoptr(GByteArray) input = input_of(sizes[i]);

            write_in_steps(outlet, input, 100003);
            g_assert_true(outlet_finish(outlet, NULL));
            g_assert_true(keep.finished);
            assert_gunzips(keep.bytes, input);
            g_byte_array_unref(keep.bytes);
        }
    }
}

/* One thread is at a piece that takes long while the others go once round. */
static void pieces_may_differ_in_cost(void)
{
    g_autoptr(GByteArray) input = input_of(12 * PIECE);
    KeepOutlet keep = keep_new(SIZE_MAX);
    g_autoptr(Outlet) outlet = outlet_gzip_new(&keep.base, 9, 3);

    for (size_t i = 0; i < 12; i++)
        if (i % 6 != 0)
            memset(input->data + i * PIECE, 0, PIECE);
    write_in_steps(outlet, input, 8 * PIECE);
    g_assert_true(outlet_finish(outlet, NULL));
    assert_gunzips(keep.bytes, input);
    g_byte_array_unref(keep.bytes);
}

/* The same bytes whatever the number of threads, and hardly more than one of them would make. */
static void threads_change_nothing_of_a_gzip(void)
{
    g_autoptr(GByteArray) input = input_of(5 * PIECE + 17);
    g_autofree uint8_t *whole = g_malloc(compressBound(input->len));
    uLongf whole_len = compressBound(input->len);
    KeepOutlet keep[2] = { keep_new(SIZE_MAX), keep_new(SIZE_MAX) };

    for (unsigned i = 0; i < 2; i++) {
        g_autoptr(Outlet) outlet = outlet_gzip_new(&keep[i].base, 0, 1 + 3 * i);

        write_in_steps(outlet, input, i ? PIECE : 777);
        g_assert_true(outlet_finish(outlet, NULL));
    }
    g_assert_cmpmem(keep[0].bytes->data, keep[0].bytes->len, keep[1].bytes->data,
                    keep[1].bytes->len);
    g_assert_cmpint(compress2(whole, &whole_len, input->data, input->len, 6), ==, Z_OK);
    g_assert_cmpuint(keep[0].bytes->len, <, whole_len + whole_len / 500);
    g_byte_array_unref(keep[0].bytes);
    g_byte_array_unref(keep[1].bytes);
}

static void zstd_is_one_frame_of_any_length(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        KeepOutlet keep = keep_new(SIZE_MAX);
        g_autoptr(Outlet) outlet = outlet_zstd_new(&keep.base, 0, 2);
        g_autoptr(GByteArray) input = input_of(sizes[i]);
        g_autofree uint8_t *plain = g_malloc(input->len + 1);
        size_t len;

        write_in_steps(outlet, input, 100003);
        g_assert_true(outlet_finish(outlet, NULL));
        g_assert_cmpuint(ZSTD_findFrameCompressedSize(keep.bytes->data, keep.bytes->len), ==,
                         keep.bytes->len);
        len = ZSTD_decompress(plain, input->len + 1, keep.bytes->data, keep.bytes->len);
        g_assert_cmpmem(plain, len, input->data, input->len);
        g_byte_array_unref(keep.bytes);
    }
}

static void what_went_through_is_counted(void)
{
    KeepOutlet keep = keep_new(SIZE_MAX);
    OutletCount count = { 0 };
    g_autoptr(Outlet) outlet = outlet_count_new(&keep.base, &count);
    g_autoptr(GByteArray) input = input_of(12345);
    Id want;

    write_in_steps(outlet, input, 1000);
    g_assert_true(outlet_finish(outlet, NULL));
    hash_bytes(input->data, input->len, &want);
    g_assert_cmpuint(count.size, ==, 12345);
    g_assert_true(id_equal(&count.sha256, &want));
    g_byte_array_unref(keep.bytes);
}

/* At whatever byte the way is closed: the error comes out, and there is no end that looks whole. */
static void a_closed_way_is_told(void)
{
    g_autoptr(GByteArray) input = input_of(3 * PIECE);

    for (size_t bound = 0; bound < 400000; bound += 99991) {
        for (int kind = 0; kind < 2; kind++) {
            KeepOutlet keep = keep_new(bound);
            g_autoptr(Outlet) outlet =
                kind ? outlet_zstd_new(&keep.base, 0, 2) : outlet_gzip_new(&keep.base, 0, 2);
            g_autoptr(GError) error = NULL;

            g_assert_false(outlet_write(outlet, input->data, input->len, &error) &&
                           outlet_finish(outlet, &error));
            g_assert_error(error, BS_ERROR, BS_ERROR_NO_SPACE);
            g_assert_false(keep.finished);
            g_byte_array_unref(keep.bytes);
        }
    }
}

static void an_end_that_nobody_asked_for_does_not_come(void)
{
    KeepOutlet keep = keep_new(SIZE_MAX);
    g_autoptr(GByteArray) input = input_of(3 * PIECE);
    Outlet *outlet = outlet_gzip_new(&keep.base, 0, 2);

    write_in_steps(outlet, input, PIECE);
    outlet_free(outlet);
    g_assert_false(keep.finished);
    g_byte_array_unref(keep.bytes);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/outlet/gzip", gzip_is_one_stream_of_any_length);
    g_test_add_func("/outlet/gzip-cost", pieces_may_differ_in_cost);
    g_test_add_func("/outlet/gzip-threads", threads_change_nothing_of_a_gzip);
    g_test_add_func("/outlet/zstd", zstd_is_one_frame_of_any_length);
    g_test_add_func("/outlet/count", what_went_through_is_counted);
    g_test_add_func("/outlet/closed", a_closed_way_is_told);
    g_test_add_func("/outlet/free", an_end_that_nobody_asked_for_does_not_come);
    return g_test_run();
}
