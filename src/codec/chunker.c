/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/chunker.h"
#include "codec/kdf.h"
#include "codec/seal.h"
#include <string.h>

/* What follows is fixed by doc/chunker.md: a change would store everybody's data once more. */
#define LABEL  "backstay gear v1"
#define WINDOW 64
#define NORMAL ((size_t)1024 * 1024)

/* A cut where the upper bits of the hash are zero: they have seen the whole window, the lower ones
 * only the last bytes. Few enough cuts before the normal length, many after it. */
#define STRICT (1ull << (64 - 20))
#define LOOSE  (1ull << (64 - 18))

void gear_table_derive(const uint8_t master[64], GearTable *ret_table)
{
    uint8_t secret[SEAL_KEY_LEN];
    uint8_t bytes[sizeof ret_table->entries];

    // stored keys hold r with or without the bits that do not count: both must cut alike
    memcpy(secret, master, sizeof secret);
    seal_clamp(secret + 48);
    kdf_hkdf(secret, sizeof secret, LABEL, bytes, sizeof bytes);
    for (size_t i = 0; i < G_N_ELEMENTS(ret_table->entries); i++) {
        uint64_t entry;

        memcpy(&entry, bytes + 8 * i, sizeof entry);
        ret_table->entries[i] = GUINT64_FROM_LE(entry);
    }
    secret_wipe(secret, sizeof secret);
    secret_wipe(bytes, sizeof bytes);
}

void chunker_init_content(Chunker *chunker, const GearTable *gear)
{
    *chunker = (Chunker){ .gear = gear };
}

void chunker_init_fixed(Chunker *chunker, size_t size)
{
    g_assert(size >= 4096 && size <= CHUNK_MAX && (size & (size - 1)) == 0);
    *chunker = (Chunker){ .fixed = size };
}

void chunker_reset(Chunker *chunker)
{
    chunker->hash = 0;
    chunker->len = 0;
}

/* Two bytes at once: only two of the four operations wait for the hash before. */
static inline bool cuts_in_pair(uint64_t *hash, const uint64_t *gear, const uint8_t *data,
                                uint64_t below)
{
    uint64_t first = gear[data[0]];
    uint64_t between = (*hash << 1) + first;

    *hash = (*hash << 2) + ((first << 1) + gear[data[1]]);
    return between < below || *hash < below;
}

/* Hashes data until the hash is below the bound or the data ends; returns how many bytes that took.
 * Measured with bench/micro/codec: eight bytes a turn are a quarter faster than one. */
static size_t scan(Chunker *chunker, const uint8_t *data, size_t len, uint64_t below)
{
    const uint64_t *gear = chunker->gear->entries;
    uint64_t hash = chunker->hash;
    size_t at = 0;

    for (; len - at >= 8; at += 8) {
        const uint8_t *eight = data + at;
        uint64_t next = hash;

        if (cuts_in_pair(&next, gear, eight, below) ||
            cuts_in_pair(&next, gear, eight + 2, below) ||
            cuts_in_pair(&next, gear, eight + 4, below) ||
            cuts_in_pair(&next, gear, eight + 6, below))
            break;
        hash = next;
    }
    while (at < len) {
        hash = (hash << 1) + gear[data[at++]];
        if (hash < below)
            break;
    }
    chunker->hash = hash;
    return at;
}

static size_t next_fixed(Chunker *chunker, size_t len, bool *ret_cut)
{
    size_t n = MIN(len, chunker->fixed - chunker->len);

    chunker->len += n;
    *ret_cut = chunker->len == chunker->fixed;
    return n;
}

/* A chunk runs through these stretches; each ends at a length, and in each a hash below the bound
 * cuts. The first is not hashed: whatever lies before the window cannot change the hash at the
 * minimum. */
static const struct {
    size_t until;
    uint64_t below;
} stretches[] = {
    { CHUNK_MIN - WINDOW, 0 },
    { CHUNK_MIN - 1, 0 },
    { NORMAL - 1, STRICT },
    { CHUNK_MAX - 1, LOOSE },
};

static size_t next_content(Chunker *chunker, const uint8_t *data, size_t len, bool *ret_cut)
{
    size_t at = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(stretches); i++) {
        uint64_t below = stretches[i].below;
        size_t n;

        if (chunker->len >= stretches[i].until)
            continue;
        n = MIN(len - at, stretches[i].until - chunker->len);
        if (i > 0)
            n = scan(chunker, data + at, n, below);
        at += n;
        chunker->len += n;
        *ret_cut = chunker->hash < below;
        if (*ret_cut || at == len)
            return at;
    }
    // CHUNK_MAX is reached with this byte, whatever it is
    *ret_cut = true;
    return at + 1;
}

size_t chunker_next(Chunker *chunker, const void *data, size_t len, bool *ret_cut)
{
    size_t n;

    g_assert(len > 0);
    n = chunker->gear ? next_content(chunker, data, len, ret_cut)
                      : next_fixed(chunker, len, ret_cut);

    if (*ret_cut)
        chunker_reset(chunker);
    return n;
}
