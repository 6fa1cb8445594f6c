/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/scrypt.h"

#include "base/secret.h"
#include <glib.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#define MEMORY_MAX  (256ull * 1024 * 1024) /* of all lanes together, if there are several */
#define THREADS_MAX 16u

/*
 * Salsa20/8 works on a square of 4 x 4 words, by columns and then by rows. With the diagonals of
 * the square in one vector each, all four columns are done at once, and three rotations of lanes
 * turn columns into rows. So blocks are kept in that order from the first step to the last: word i
 * of a vector quartet is word 5 i mod 16 of RFC 7914.
 */
typedef uint32_t Quad __attribute__((vector_size(16)));
typedef struct {
    Quad diagonal[4];
} Block;

/*
 * Made to be slow, and under a sanitizer ten times slower than that, for arithmetic on whole
 * blocks in which it has nothing to find: a test that opens many repositories did little else.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNWATCHED                                                                                  \
    __attribute__((optimize("O2"), no_sanitize("address"), no_sanitize("thread"),                  \
                   no_sanitize("undefined")))
#else
#define UNWATCHED
#endif

#define WORDS               16u
#define TURN(x, a, b, c, d) __builtin_shufflevector(x, x, a, b, c, d)

UNWATCHED static inline Quad rotate(Quad x, int bits)
{
    return x << bits | x >> (32 - bits);
}

UNWATCHED static inline void salsa20_8(Block *block)
{
    Quad a = block->diagonal[0], b = block->diagonal[1];
    Quad c = block->diagonal[2], d = block->diagonal[3];

    for (unsigned round = 0; round < 8; round += 2) {
        b ^= rotate(a + d, 7);
        c ^= rotate(b + a, 9);
        d ^= rotate(c + b, 13);
        a ^= rotate(d + c, 18);
        b = TURN(b, 3, 0, 1, 2);
        c = TURN(c, 2, 3, 0, 1);
        d = TURN(d, 1, 2, 3, 0);
        d ^= rotate(a + b, 7);
        c ^= rotate(d + a, 9);
        b ^= rotate(c + d, 13);
        a ^= rotate(b + c, 18);
        b = TURN(b, 1, 2, 3, 0);
        c = TURN(c, 2, 3, 0, 1);
        d = TURN(d, 3, 0, 1, 2);
    }
    block->diagonal[0] += a;
    block->diagonal[1] += b;
    block->diagonal[2] += c;
    block->diagonal[3] += d;
}

UNWATCHED static inline void block_xor(Block *block, const Block *with)
{
    for (unsigned i = 0; i < 4; i++)
        block->diagonal[i] ^= with->diagonal[i];
}

/* scryptBlockMix of in, or of in xor with (NULL: none), which saves a pass. out is neither. */
UNWATCHED static inline void mix(const Block *restrict in, const Block *restrict with,
                                 Block *restrict out, size_t r)
{
    Block x = in[2 * r - 1];

    if (with)
        block_xor(&x, &with[2 * r - 1]);
    for (size_t i = 0; i < 2 * r; i++) {
        block_xor(&x, &in[i]);
        if (with)
            block_xor(&x, &with[i]);
        salsa20_8(&x);
        out[i / 2 + (i % 2 ? r : 0)] = x; // even ones first
    }
}

/* ---- one lane: scryptROMix ---- */

/* From the bytes of RFC 7914 into our order, and back. */
static void load(Block *blocks, const uint8_t *bytes, size_t r)
{
    for (size_t k = 0; k < 2 * r; k++)
        for (unsigned i = 0; i < WORDS; i++) {
            uint32_t word;

            memcpy(&word, bytes + 64 * k + 4 * (5 * i % WORDS), sizeof word);
            blocks[k].diagonal[i / 4][i % 4] = GUINT32_FROM_LE(word);
        }
}

static void store(uint8_t *bytes, const Block *blocks, size_t r)
{
    for (size_t k = 0; k < 2 * r; k++)
        for (unsigned i = 0; i < WORDS; i++) {
            uint32_t word = GUINT32_TO_LE(blocks[k].diagonal[i / 4][i % 4]);

            memcpy(bytes + 64 * k + 4 * (5 * i % WORDS), &word, sizeof word);
        }
}

/* table: n entries of 2 r blocks; x and y: one each. */
static void romix(uint8_t *bytes, const ScryptCost *cost, Block *table, Block *x, Block *y)
{
    const size_t r = cost->r, entry = 2 * r;

    load(table, bytes, r);
    for (uint64_t i = 1; i < cost->n; i++)
        mix(table + (i - 1) * entry, NULL, table + i * entry, r);
    mix(table + (cost->n - 1) * entry, NULL, x, r);
    for (uint64_t i = 0; i < cost->n; i += 2) {
        // Integerify: n is a power of two of at most 31 bits, so the first word decides
        mix(x, table + (x[entry - 1].diagonal[0][0] & (cost->n - 1)) * entry, y, r);
        mix(y, table + (y[entry - 1].diagonal[0][0] & (cost->n - 1)) * entry, x, r);
    }
    store(bytes, x, r);
}

/* ---- all lanes ---- */

typedef struct {
    const ScryptCost *cost;
    uint8_t *bytes; /* p times 128 r */
    unsigned next;  /* lane that nobody has taken; atomic */
    unsigned done;  /* atomic */
} Lanes;

/* A thread that gets no memory leaves its lanes to the others. */
static void *work(void *user)
{
    Lanes *lanes = user;
    const size_t entry = 128 * (size_t)lanes->cost->r;
    const size_t size = (lanes->cost->n + 2) * entry;
    Block *table = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned lane;
    Block *x;

    if (table == MAP_FAILED)
        return NULL;
    x = table + lanes->cost->n * entry / sizeof(Block);
    (void)madvise(table, size, MADV_HUGEPAGE);
    (void)madvise(table, size, MADV_DONTDUMP);
    while ((lane = __atomic_fetch_add(&lanes->next, 1, __ATOMIC_RELAXED)) < lanes->cost->p) {
        romix(lanes->bytes + lane * entry, lanes->cost, table, x, x + 2 * lanes->cost->r);
        __atomic_fetch_add(&lanes->done, 1, __ATOMIC_RELAXED);
    }
    (void)munmap(table, size); // whoever gets these pages next finds zeros
    return NULL;
}

static unsigned threads_for(const ScryptCost *cost)
{
    uint64_t fit = MAX(MEMORY_MAX / (128 * cost->n * cost->r), 1);
    unsigned most = MIN(MIN(g_get_num_processors(), THREADS_MAX), cost->p);

    return (unsigned)MIN(fit, most);
}

/* The calling thread works, too; so it goes on when no other can be started. */
static void run_lanes(Lanes *lanes)
{
    pthread_t threads[THREADS_MAX];
    unsigned n = 0;

    while (n + 1 < threads_for(lanes->cost) && pthread_create(&threads[n], NULL, work, lanes) == 0)
        n++;
    work(lanes);
    for (unsigned i = 0; i < n; i++)
        (void)pthread_join(threads[i], NULL);
}

/* One round only: the lanes are what makes it slow. */
static bool pbkdf2(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
                   uint8_t *out, size_t out_len)
{
    return PKCS5_PBKDF2_HMAC(password_len ? password : "", (int)password_len, salt, (int)salt_len,
                             1, EVP_sha256(), (int)out_len, out) == 1;
}

bool scrypt_derive(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
                   const ScryptCost *cost, uint8_t *out, size_t out_len)
{
    const size_t len = 128 * (size_t)cost->r * cost->p;
    uint8_t *bytes = len <= G_MAXINT ? g_try_malloc(len) : NULL;
    Lanes lanes = { .cost = cost, .bytes = bytes };
    bool ok = bytes && pbkdf2(password, password_len, salt, salt_len, bytes, len);

    if (ok)
        run_lanes(&lanes);
    ok = ok && lanes.done == cost->p && pbkdf2(password, password_len, bytes, len, out, out_len);
    if (bytes)
        secret_wipe(bytes, len);
    g_free(bytes);
    return ok;
}
