/* SPDX-License-Identifier: Apache-2.0 */
/* What reading a cluster's own formats costs on one core, in GiB/s: meson test --benchmark -v */
#include "codec/crc32c.h"
#include "pg/pagecheck.h"
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DATA_LEN (64u << 20)

typedef uint64_t (*WorkFunc)(const uint8_t *data, size_t len);

static double cpu_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void run(const char *name, const uint8_t *data, size_t len, WorkFunc func)
{
    double start = cpu_seconds(), elapsed = 0;
    uint64_t done = 0, sum = 0;

    while (elapsed < 0.5) {
        for (size_t at = 0; at + len <= DATA_LEN; at += len)
            sum += func(data + at, len);
        done += DATA_LEN / len * len;
        elapsed = cpu_seconds() - start;
    }
    // the sum is there so that no work can be left out
    printf("%-24s %8zu bytes %8.2f GiB/s (%04x)\n", name, len, (double)done / elapsed / (1u << 30),
           (unsigned)sum & 0xffff);
}

static uint64_t check_pages(const uint8_t *data, size_t len)
{
    return pg_pages_check(data, len / PG_PAGE_LEN, 0, NULL, 0);
}

static uint64_t sum(const uint8_t *data, size_t len)
{
    return crc32c(0, data, len);
}

static uint64_t sum_portable(const uint8_t *data, size_t len)
{
    return crc32c_portable(0, data, len);
}

int main(void)
{
    g_autofree uint8_t *data = g_malloc(DATA_LEN);

    for (size_t at = 0; at < DATA_LEN; at += 4) {
        uint32_t word = g_random_int();

        memcpy(data + at, &word, sizeof word);
    }
    run("page checksums", data, 1u << 20, check_pages);
    run("page checksums, memory", data, DATA_LEN, check_pages);
    run("crc32c", data, 100, sum);
    run("crc32c", data, 8192, sum);
    run("crc32c", data, 1u << 20, sum);
    run("crc32c by tables", data, 8192, sum_portable);
    return 0;
}
