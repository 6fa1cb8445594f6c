/* SPDX-License-Identifier: Apache-2.0 */
/* What the pure parts do on one core, in MB/s (10^6 bytes of plain data): meson test --benchmark -v
 */
#include "base/id.h"
#include "codec/chunker.h"
#include "codec/compress.h"
#include "codec/hash.h"
#include "codec/seal.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DATA_LEN (64u << 20)

typedef struct {
    Sealer *sealer;
    Compressor *compressor;
    Chunker *chunker;
    uint8_t *out;
    size_t room;
} Work;

typedef void (*WorkFunc)(const Work *work, const uint8_t *data, size_t len);

static double cpu_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void run(const char *name, const Work *work, const uint8_t *data, size_t len, WorkFunc func)
{
    double start = cpu_seconds();
    double elapsed = 0;
    uint64_t done = 0;

    while (elapsed < 0.5) {
        for (size_t at = 0; at + len <= DATA_LEN; at += len)
            func(work, data + at, len);
        done += DATA_LEN / len * len;
        elapsed = cpu_seconds() - start;
    }
    printf("%-24s %8zu bytes %8.0f MB/s\n", name, len, (double)done / elapsed / 1e6);
}

static void hash_work(const Work *work, const uint8_t *data, size_t len)
{
    Id id;

    (void)work;
    hash_bytes(data, len, &id);
}

static void seal_work(const Work *work, const uint8_t *data, size_t len)
{
    seal(work->sealer, data, len, work->out);
}

static void unseal_work(const Work *work, const uint8_t *data, size_t len)
{
    (void)data;
    if (!unseal(work->sealer, work->out, len + SEAL_OVERHEAD, work->out + (1 << 20) + 64, NULL))
        g_error("unseal failed");
}

static void compress_work(const Work *work, const uint8_t *data, size_t len)
{
    (void)compress_into(work->compressor, data, len, work->out, work->room);
}

static void chunk_work(const Work *work, const uint8_t *data, size_t len)
{
    bool cut;

    for (size_t at = 0; at < len;)
        at += chunker_next(work->chunker, data + at, len - at, &cut);
}

/* Only the bytes that are hashed: from the minimum on. */
static void scan_work(const Work *work, const uint8_t *data, size_t len)
{
    bool cut;

    for (size_t at = 0; at < len;) {
        work->chunker->len = CHUNK_MIN - 64;
        at += chunker_next(work->chunker, data + at, len - at, &cut);
    }
}

/* Something like a dump: words of a small vocabulary and numbers. */
static void fill_text(char *text, size_t len)
{
    static const char *const words[] = { "INSERT", "account",     "2026-01-31", "active", "NULL",
                                         "true",   "example.org", "order",      "paid",   "EUR" };
    uint64_t state = 1;

    for (size_t at = 0; at < len;) {
        char word[40];
        size_t n;

        state = state * 6364136223846793005u + 1442695040888963407u;
        n = (size_t)g_snprintf(word, sizeof word, "%s\t%u\t",
                               words[(state >> 33) % G_N_ELEMENTS(words)], (unsigned)(state >> 44));
        memcpy(text + at, word, MIN(n, len - at));
        at += n;
    }
}

int main(void)
{
    static const size_t lengths[] = { 4 << 10, 1 << 20 };
    g_autofree uint8_t *random = g_malloc(DATA_LEN);
    g_autofree uint8_t *text = g_malloc(DATA_LEN);
    Work work = { .room = 4 << 20 };
    SealKey key;
    GearTable gear;
    Chunker chunker;

    random_bytes(random, DATA_LEN);
    fill_text((char *)text, DATA_LEN);
    seal_key_random(&key);
    work.sealer = sealer_new(&key);
    work.out = g_malloc(work.room);
    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        run("hash", &work, random, lengths[i], hash_work);
        run("seal", &work, random, lengths[i], seal_work);
        run("unseal", &work, random, lengths[i], unseal_work);
    }
    gear_table_derive((const uint8_t *)&key, &gear);
    chunker_init_content(&chunker, &gear);
    work.chunker = &chunker;
    run("chunker", &work, random, DATA_LEN, chunk_work);
    run("chunker, hashed part", &work, random, DATA_LEN, scan_work);
    for (int level = 1; level <= 3; level += 2) {
        g_autofree char *name = g_strdup_printf("zstd %d", level);

        work.compressor = compressor_new(level);
        run(name, &work, text, 1 << 20, compress_work);
        compressor_free(work.compressor);
    }
    sealer_free(work.sealer);
    g_free(work.out);
    return 0;
}
