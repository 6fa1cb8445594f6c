/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/inlet.h"
#include "base/error.h"
#include "codec/hash.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LEN (3u << 20)

static int memory_file(const void *data, size_t len)
{
    int fd = memfd_create("inlet", MFD_CLOEXEC);

    g_assert_true(fd >= 0 && write(fd, data, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

/* Bytes that neither repeat nor are random. */
static GBytes *content(void)
{
    uint32_t *words = g_malloc(LEN);

    for (uint32_t i = 0; i < LEN / 4; i++)
        words[i] = i * i / 3;
    return g_bytes_new_take(words, LEN);
}

static GBytes *packed(GBytes *plain, bool zstd)
{
    int fd = memory_file("", 0);
    Outlet *out = outlet_fd_new(fd, "memory", NULL);
    gsize len;
    const void *data = g_bytes_get_data(plain, &len);
    uint8_t *bytes;
    off_t size;

    out = zstd ? outlet_zstd_new(out, 1, 1) : outlet_gzip_new(out, 1, 1);
    g_assert_true(outlet_write(out, data, len, NULL) && outlet_finish(out, NULL));
    outlet_free(out);
    size = lseek(fd, 0, SEEK_END);
    bytes = g_malloc((size_t)size);
    g_assert_cmpint(pread(fd, bytes, (size_t)size, 0), ==, size);
    close(fd);
    return g_bytes_new_take(bytes, (size_t)size);
}

/* Everything, in slices; NULL on failure. */
static GBytes *unpack(const void *data, size_t len, const InletBounds *bounds, OutletCount *count,
                      GError **error)
{
    int fd = memory_file(data, len);
    g_autoptr(Inlet) inlet = inlet_unpack_new(
        inlet_count_new(inlet_fd_new(fd, "memory", NULL), count), bounds, NULL, error);
    g_autoptr(GByteArray) out = g_byte_array_new();
    uint8_t buffer[4000];
    size_t n = 1;
    bool ok = inlet != NULL;

    while (ok && n > 0) {
        ok = inlet_read(inlet, buffer, sizeof buffer, &n, error);
        if (ok)
            g_byte_array_append(out, buffer, (guint)n);
    }
    close(fd);
    return ok ? g_byte_array_free_to_bytes(g_steal_pointer(&out)) : NULL;
}

static void unpacks(void)
{
    static const InletBounds bounds = { 0, 0 };
    g_autoptr(GBytes) plain = content();

    for (int how = 0; how < 3; how++) {
        g_autoptr(GBytes) in = how < 2 ? packed(plain, how) : g_bytes_ref(plain);
        gsize len;
        const uint8_t *data = g_bytes_get_data(in, &len);
        OutletCount count = { 0 };
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) out = unpack(data, len, &bounds, &count, &error);
        Id want;

        g_assert_no_error(error);
        g_assert_true(g_bytes_equal(out, plain));
        hash_bytes(data, len, &want);
        g_assert_cmpuint(count.size, ==, len);
        g_assert_true(id_equal(&count.sha256, &want));
    }
}

static void members_follow_each_other(void)
{
    static const InletBounds bounds = { 0, 0 };
    g_autoptr(GBytes) half = g_bytes_new_static("hello, ", 7);

    for (int how = 0; how < 2; how++) {
        g_autoptr(GBytes) one = packed(half, how);
        gsize len;
        const char *data = g_bytes_get_data(one, &len);
        g_autoptr(GString) twice = g_string_new_len(data, (gssize)len);
        OutletCount count;
        g_autoptr(GBytes) out = NULL;

        g_string_append_len(twice, data, (gssize)len);
        out = unpack(twice->str, twice->len, &bounds, &count, NULL);
        g_assert_cmpmem(g_bytes_get_data(out, NULL), g_bytes_get_size(out), "hello, hello, ", 14);
        g_string_append(twice, "x");
        g_assert_null(unpack(twice->str, twice->len, &bounds, &count, NULL));
    }
}

static void cut_or_changed_is_refused(void)
{
    static const InletBounds bounds = { 0, 0 };
    g_autoptr(GBytes) plain = g_bytes_new_static("some text that is packed, some text", 35);

    for (int how = 0; how < 2; how++) {
        g_autoptr(GBytes) whole = packed(plain, how);
        gsize len;
        const uint8_t *data = g_bytes_get_data(whole, &len);
        OutletCount count;

        for (gsize n = 4; n < len; n++) {
            g_autoptr(GError) error = NULL;

            g_assert_null(unpack(data, n, &bounds, &count, &error));
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        }
        for (gsize at = len - 4; at < len; at++) { // the end of the checksum, or of the length
            g_autofree uint8_t *changed = g_memdup2(data, len);

            changed[at] ^= 1;
            g_assert_null(unpack(changed, len, &bounds, &count, NULL));
        }
    }
}

static void bounds_hold(void)
{
    static const InletBounds small = { 1000, 0 }, ratio = { 0, 100 };
    g_autofree uint8_t *zeros = g_malloc0(80u << 20);
    g_autoptr(GBytes) much = g_bytes_new_static(zeros, 80u << 20);
    OutletCount count;

    for (int how = 0; how < 2; how++) {
        g_autoptr(GBytes) bomb = packed(much, how);
        gsize len;
        const uint8_t *data = g_bytes_get_data(bomb, &len);
        g_autoptr(GError) size = NULL, times = NULL;

        g_assert_null(unpack(data, len, &small, &count, &size));
        g_assert_nonnull(strstr(size->message, "--max-size"));
        g_assert_null(unpack(data, len, &ratio, &count, &times));
        g_assert_nonnull(strstr(times->message, "--max-ratio"));
    }
    g_assert_null(unpack(zeros, 1001, &small, &count, NULL));
    g_bytes_unref(unpack(zeros, 1000, &small, &count, NULL));
}

static void peeked_bytes_stay(void)
{
    int fd = memory_file("0123456789", 10);
    g_autoptr(Inlet) inlet = inlet_fd_new(fd, "memory", NULL);
    const uint8_t *data;
    char buffer[20];
    size_t n;

    g_assert_true(inlet_peek(inlet, 6, &data, &n, NULL));
    g_assert_cmpmem(data, n, "012345", 6);
    g_assert_true(inlet_peek(inlet, 2, &data, &n, NULL));
    g_assert_cmpmem(data, n, "01", 2);
    g_assert_true(inlet_read(inlet, buffer, 3, &n, NULL));
    g_assert_cmpmem(buffer, n, "012", 3);
    g_assert_true(inlet_peek(inlet, 20, &data, &n, NULL));
    g_assert_cmpmem(data, n, "3456789", 7);
    g_assert_false(inlet_expect_end(inlet, NULL));
    g_assert_true(inlet_read_full(inlet, buffer, sizeof buffer, &n, NULL));
    g_assert_cmpmem(buffer, n, "456789", 6);
    g_assert_true(inlet_expect_end(inlet, NULL));
    close(fd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/inlet/unpacks", unpacks);
    g_test_add_func("/inlet/members-follow-each-other", members_follow_each_other);
    g_test_add_func("/inlet/cut-or-changed-is-refused", cut_or_changed_is_refused);
    g_test_add_func("/inlet/bounds-hold", bounds_hold);
    g_test_add_func("/inlet/peeked-bytes-stay", peeked_bytes_stay);
    return g_test_run();
}
