/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index at one and ten million blobs, twenty to a pack: reading the JSON, building the image,
 * opening it from a file, looking up, and what a run adds. One thread. meson test --benchmark index
 * -v, or bench-index MILLIONS...
 */
#include "base/id.h"
#include "repo/index_claims.h"
#include "repo/index_merge.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOBS_A_PACK  20u
#define BLOBS_A_PIECE 50000u
#define LOOKUPS       1000000u

static const uint8_t key[INDEX_TABLE_KEY_LEN] = { 1 };

static uint64_t state = 1;

static uint64_t next_random(void)
{
    uint64_t value = state += G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);

    value = (value ^ value >> 30) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static Id random_id(void)
{
    Id id;

    for (size_t at = 0; at < ID_LEN; at += 8) {
        uint64_t value = next_random();

        memcpy(id.bytes + at, &value, 8);
    }
    return id;
}

/* Of processor time, so that the neighbours do not count. */
static double seconds_since(clock_t start)
{
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

static PackBlob random_blob(uint32_t nth)
{
    return (PackBlob){ random_id(), BLOB_DATA, nth * 400000, 400000, 1048576 };
}

static bool count_blobs(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    (void)pack;
    (void)blobs;
    (void)error;
    *(size_t *)user += n;
    return true;
}

static void bench_text(size_t n)
{
    IndexText *text = index_text_new();
    size_t found = 0;
    const char *json;
    size_t len;
    clock_t start;

    start = clock();
    for (size_t i = 0; i < n; i += BLOBS_A_PACK) {
        PackBlob blobs[BLOBS_A_PACK];
        Id pack = random_id();

        for (uint32_t j = 0; j < BLOBS_A_PACK; j++)
            blobs[j] = random_blob(j);
        index_text_add(text, &pack, blobs, BLOBS_A_PACK);
    }
    json = index_text_finish(text, &len);
    printf("  write %zu MB of JSON        %7.3f s\n", len / 1000000, seconds_since(start));
    start = clock();
    if (!index_text_parse(json, len, count_blobs, &found, NULL) || found != n)
        g_error("parse failed");
    printf("  read it                    %7.3f s\n", seconds_since(start));
    index_text_free(text);
}

static int scratch(void *user)
{
    char path[] = "bench-index-XXXXXX";
    int fd = mkstemp(path);

    (void)user;
    (void)unlink(path);
    return fd;
}

static IndexMerge *gather(size_t n)
{
    IndexMerge *merge = index_merge_new(scratch, NULL);
    g_autoptr(GArray) packs = g_array_new(false, false, sizeof(Id));
    g_autoptr(GArray) entries = g_array_new(false, false, sizeof(IndexEntry));
    IndexPiece piece = { packs, entries };

    for (size_t done = 0; done < n; done += BLOBS_A_PIECE) {
        g_array_set_size(packs, 0);
        g_array_set_size(entries, 0);
        for (uint32_t i = 0; i < BLOBS_A_PIECE; i++) {
            PackBlob blob = random_blob(i % BLOBS_A_PACK);
            IndexEntry entry = { blob.id, i / BLOBS_A_PACK, blob.offset, blob.length,
                                 blob.plain_len };

            if (i % BLOBS_A_PACK == 0) {
                Id pack = random_id();

                g_array_append_val(packs, pack);
            }
            g_array_append_val(entries, entry);
        }
        index_merge_add(merge, &piece);
    }
    return merge;
}

static void bench_lookups(const IndexTable *table)
{
    g_autofree Id *known = g_new(Id, LOOKUPS);
    g_autofree Id *unknown = g_new(Id, LOOKUPS);
    size_t found = 0;
    clock_t start;

    for (size_t i = 0; i < LOOKUPS; i++) {
        known[i] = table->entries[next_random() % table->n_entries].id;
        unknown[i] = random_id();
    }
    start = clock();
    for (size_t i = 0; i < LOOKUPS; i++)
        found += index_table_find(table, BLOB_DATA, &known[i]) != SIZE_MAX;
    printf("  a million known blobs      %7.3f s\n", seconds_since(start));
    start = clock();
    for (size_t i = 0; i < LOOKUPS; i++)
        found += index_table_find(table, BLOB_DATA, &unknown[i]) != SIZE_MAX;
    printf("  a million unknown blobs    %7.3f s\n", seconds_since(start));
    if (found != LOOKUPS)
        g_error("found %zu", found);
}

static void bench_image(size_t n)
{
    int fd = scratch(NULL);
    struct stat stat;
    clock_t start = clock();
    g_autoptr(IndexMerge) merge = gather(n);
    g_autoptr(IndexTable) made = NULL;
    g_autoptr(IndexTable) table = NULL;

    printf("  gather and sort            %7.3f s\n", seconds_since(start));
    start = clock();
    made = index_merge_finish(merge, NULL, NULL, 0, fd, key, NULL);
    printf("  merge into a file          %7.3f s\n", seconds_since(start));
    if (!made || fstat(fd, &stat) != 0)
        g_error("no image");
    printf("  file                       %7.2f bytes a blob\n", (double)stat.st_size / (double)n);
    start = clock();
    table = index_table_open(fd, key);
    if (!table)
        g_error("no table");
    printf("  open and prove it          %7.3f s\n", seconds_since(start));
    bench_lookups(table);
    (void)close(fd);
}

/* Pages in memory, not what malloc promised: the tables grow ahead of what they hold. */
static size_t resident(void)
{
    g_autofree char *text = NULL;
    unsigned long pages = 0;

    if (g_file_get_contents("/proc/self/statm", &text, NULL, NULL))
        (void)sscanf(text, "%*u %lu", &pages);
    return pages * (size_t)getpagesize();
}

static void bench_claims(size_t n)
{
    size_t before = resident();
    g_autoptr(Claims) claims = claims_new();
    clock_t start = clock();
    size_t taken = 0;

    for (size_t i = 0; i < n; i += BLOBS_A_PACK) {
        PackBlob blobs[BLOBS_A_PACK];
        Id pack = random_id();

        for (uint32_t j = 0; j < BLOBS_A_PACK; j++) {
            blobs[j] = random_blob(j);
            taken += claims_take(claims, BLOB_DATA, &blobs[j].id);
        }
        claims_add(claims, &pack, blobs, BLOBS_A_PACK);
    }
    if (taken != n)
        g_error("taken %zu", taken);
    printf("  claim and add all          %7.3f s\n", seconds_since(start));
    printf("  memory for them            %7.2f bytes a blob\n",
           (double)(resident() - before) / (double)n);
}

int main(int argc, char **argv)
{
    static const char *const usual[] = { "1", "10" };
    const char *const *millions = argc > 1 ? (const char *const *)argv + 1 : usual;
    size_t n_sizes = argc > 1 ? (size_t)argc - 1 : G_N_ELEMENTS(usual);

    for (size_t i = 0; i < n_sizes; i++) {
        size_t n = strtoul(millions[i], NULL, 10) * 1000000;

        printf("%zu blobs\n", n);
        bench_text(MIN(n, 1000000));
        bench_image(n);
        bench_claims(n);
    }
    return 0;
}
