/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-parts FILE...   What the pure parts of a first backup cost on these files, in seconds of
 * one core: chunker, SHA-256, zstd at the level of "auto", seal, and opening and comparing what was
 * sealed. Each chunk is run to completion, as by a worker. Reading is not counted, nor is anything
 * around: the rest of a backup's CPU time is the road's own.
 */
#include "base/fs.h"
#include "codec/chunker.h"
#include "codec/compress.h"
#include "codec/hash.h"
#include "codec/seal.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define AUTO_LEVEL 2 /* of repo/repo.c */
#define BUF_LEN    (CHUNK_MAX + (1u << 20))

enum { CHUNKER, HASH, COMPRESS, SEAL, VERIFY, PARTS };
static const char *const names[PARTS] = { "chunker", "hash", "compress", "seal", "verify" };

typedef struct {
    Chunker chunker;
    Sealer *sealer;
    Compressor *compressor;
    Decompressor *decompressor;
    uint8_t *shrunk, *sealed, *opened, *plain;
    double seconds[PARTS];
    double mark;
} Work;

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void charge(Work *work, int part)
{
    double now = cpu_seconds();

    work->seconds[part] += now - work->mark;
    work->mark = now;
}

static void run_chunk(Work *work, const uint8_t *data, size_t len)
{
    const uint8_t *stored = data;
    size_t shrunk;
    Id id;

    hash_bytes(data, len, &id);
    charge(work, HASH);
    // what does not become smaller is stored as it is
    shrunk = compress_into(work->compressor, data, len, work->shrunk, len - 1);
    if (shrunk > 0)
        stored = work->shrunk;
    charge(work, COMPRESS);
    seal(work->sealer, stored, shrunk ? shrunk : len, work->sealed);
    charge(work, SEAL);
    g_assert_true(unseal(work->sealer, work->sealed, (shrunk ? shrunk : len) + SEAL_OVERHEAD,
                         work->opened, NULL));
    if (shrunk > 0)
        g_assert_true(
            decompress_exact(work->decompressor, work->opened, shrunk, work->plain, len, NULL));
    g_assert_cmpint(memcmp(shrunk ? work->plain : work->opened, data, len), ==, 0);
    charge(work, VERIFY);
}

static void run_file(Work *work, const char *path, uint8_t *buf)
{
    fs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_autoptr(GError) error = NULL;
    size_t start = 0, end = 0, got;

    if (fd < 0)
        g_error("%s: cannot be opened", path);
    do {
        size_t at = start;

        if (!fs_read_full(fd, buf + end, BUF_LEN - end, &got, path, &error))
            g_error("%s", error->message);
        end += got;
        work->mark = cpu_seconds();
        while (at < end) {
            bool cut;

            at += chunker_next(&work->chunker, buf + at, end - at, &cut);
            charge(work, CHUNKER);
            if (!cut && got > 0)
                break;
            run_chunk(work, buf + start, at - start);
            start = at;
        }
        // the rest of a chunk is cut anew with what follows it
        chunker_reset(&work->chunker);
        memmove(buf, buf + start, end - start);
        end -= start;
        start = 0;
    } while (got > 0);
}

int main(int argc, char **argv)
{
    g_autofree uint8_t *buf = g_malloc(BUF_LEN);
    Work work = {
        .shrunk = g_malloc(CHUNK_MAX),
        .sealed = g_malloc(CHUNK_MAX + SEAL_OVERHEAD),
        .opened = g_malloc(CHUNK_MAX + SEAL_OVERHEAD),
        .plain = g_malloc(CHUNK_MAX),
        .compressor = compressor_new(AUTO_LEVEL),
        .decompressor = decompressor_new(),
    };
    double all = 0;
    GearTable gear;
    SealKey key;

    seal_key_random(&key);
    work.sealer = sealer_new(&key);
    gear_table_derive((const uint8_t *)&key, &gear);
    chunker_init_content(&work.chunker, &gear);
    for (int i = 1; i < argc; i++)
        run_file(&work, argv[i], buf);
    for (int part = 0; part < PARTS; part++) {
        printf("%-10s %8.2f\n", names[part], work.seconds[part]);
        all += work.seconds[part];
    }
    printf("%-10s %8.2f\n", "all", all);
    return 0;
}
