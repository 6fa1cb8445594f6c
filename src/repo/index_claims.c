/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/index_claims.h"
#include "repo/index_table.h"
#include <pthread.h>

#define SHARDS     64u
#define NO_PACK    INDEX_PACKS_MAX // claimed, not yet added
#define FIRST_SIZE 64u             // slots; a power of two
#define BLOCK      256u            // claims allocated at once

/* A slot is 0 when free; else the number of a claim plus one, and above it eight bits of its id, so
 * that a look at the wrong claim, which is seldom in the cache, is rare. */
#define NUMBER_BITS 24
#define NUMBER_MAX  ((1u << NUMBER_BITS) - 1)

/* Claims lie in blocks in the order they came and never move. At most three quarters of the slots
 * are taken. */
typedef struct {
    pthread_mutex_t mutex;
    GPtrArray *blocks; // of IndexEntry[BLOCK]
    uint32_t n;
    uint32_t *slots;
    uint32_t mask;
} Shard;

struct Claims {
    Shard shards[SHARDS];
    pthread_mutex_t packs_mutex; // never together with a shard's
    GArray *packs;               // of Id
};

Claims *claims_new(void)
{
    Claims *claims = g_new0(Claims, 1);

    for (unsigned i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&claims->shards[i].mutex, NULL);
        claims->shards[i].blocks = g_ptr_array_new_with_free_func(g_free);
    }
    pthread_mutex_init(&claims->packs_mutex, NULL);
    claims->packs = g_array_new(false, false, sizeof(Id));
    return claims;
}

void claims_free(Claims *claims)
{
    if (!claims)
        return;
    for (unsigned i = 0; i < SHARDS; i++) {
        pthread_mutex_destroy(&claims->shards[i].mutex);
        g_ptr_array_unref(claims->shards[i].blocks);
        g_free(claims->shards[i].slots);
    }
    pthread_mutex_destroy(&claims->packs_mutex);
    g_array_unref(claims->packs);
    g_free(claims);
}

static Shard *lock_shard(Claims *claims, const Id *id)
{
    Shard *shard = &claims->shards[id->bytes[0] % SHARDS];

    pthread_mutex_lock(&shard->mutex);
    return shard;
}

static IndexEntry *claim_at(const Shard *shard, uint32_t number)
{
    return (IndexEntry *)g_ptr_array_index(shard->blocks, number / BLOCK) + number % BLOCK;
}

/* The claim a taken slot stands for. */
static IndexEntry *claim_of(const Shard *shard, uint32_t slot)
{
    return claim_at(shard, (slot & NUMBER_MAX) - 1);
}

static uint32_t first_slot(const Shard *shard, const Id *id)
{
    uint32_t bits;

    memcpy(&bits, id->bytes + 8, sizeof(bits));
    return bits & shard->mask;
}

static uint32_t slot_for(const Id *id, uint32_t number)
{
    return (uint32_t)id->bytes[16] << NUMBER_BITS | (number + 1);
}

static bool is_claim(const IndexEntry *claim, BlobType type, const Id *id)
{
    return id_equal(&claim->id, id) && index_entry_type(claim) == type;
}

/* The slot that holds it, or the free one where it belongs. */
static uint32_t *find_slot(const Shard *shard, BlobType type, const Id *id)
{
    uint32_t at = first_slot(shard, id);

    for (;; at = (at + 1) & shard->mask) {
        uint32_t slot = shard->slots[at];

        if (slot == 0 ||
            (slot >> NUMBER_BITS == id->bytes[16] && is_claim(claim_of(shard, slot), type, id)))
            return &shard->slots[at];
    }
}

static void grow_slots(Shard *shard)
{
    uint32_t size = shard->slots ? 2 * (shard->mask + 1) : FIRST_SIZE;

    g_free(shard->slots);
    shard->slots = g_new0(uint32_t, size);
    shard->mask = size - 1;
    for (uint32_t number = 0; number < shard->n; number++) {
        const Id *id = &claim_at(shard, number)->id;
        uint32_t at = first_slot(shard, id);

        while (shard->slots[at])
            at = (at + 1) & shard->mask;
        shard->slots[at] = slot_for(id, number);
    }
}

/* The claim for it, made when there is none: then *ret_new is true. */
static IndexEntry *find_or_make(Shard *shard, BlobType type, const Id *id, bool *ret_new)
{
    uint32_t *slot;

    if (!shard->slots || shard->n >= (shard->mask + 1) / 4 * 3)
        grow_slots(shard);
    slot = find_slot(shard, type, id);
    *ret_new = *slot == 0;
    if (*ret_new) {
        uint32_t tree = type == BLOB_TREE ? INDEX_ENTRY_TREE : 0;

        g_assert(shard->n < NUMBER_MAX); // a thousand million blobs in all, 50 GiB of claims
        if (shard->n % BLOCK == 0)
            g_ptr_array_add(shard->blocks, g_new(IndexEntry, BLOCK));
        *claim_at(shard, shard->n) = (IndexEntry){ *id, NO_PACK | tree, 0, 0, 0 };
        *slot = slot_for(id, shard->n++);
    }
    return claim_of(shard, *slot);
}

bool claims_take(Claims *claims, BlobType type, const Id *id)
{
    Shard *shard = lock_shard(claims, id);
    bool taken;

    find_or_make(shard, type, id, &taken);
    pthread_mutex_unlock(&shard->mutex);
    return taken;
}

static uint32_t add_pack(Claims *claims, const Id *pack)
{
    uint32_t number;

    pthread_mutex_lock(&claims->packs_mutex);
    number = claims->packs->len;
    g_array_append_vals(claims->packs, pack, 1);
    pthread_mutex_unlock(&claims->packs_mutex);
    g_assert(number < NO_PACK);
    return number;
}

void claims_add(Claims *claims, const Id *pack, const PackBlob *blobs, size_t n)
{
    uint32_t number = add_pack(claims, pack);

    for (size_t i = 0; i < n; i++) {
        Shard *shard = lock_shard(claims, &blobs[i].id);
        bool is_new;
        IndexEntry *claim = find_or_make(shard, blobs[i].type, &blobs[i].id, &is_new);

        if (index_entry_pack(claim) == NO_PACK) {
            claim->pack = number | (claim->pack & INDEX_ENTRY_TREE);
            claim->offset = blobs[i].offset;
            claim->length = blobs[i].length;
            claim->plain_len = blobs[i].plain_len;
        }
        pthread_mutex_unlock(&shard->mutex);
    }
}

bool claims_find(Claims *claims, BlobType type, const Id *id, BlobPlace *ret_place)
{
    Shard *shard = lock_shard(claims, id);
    uint32_t slot = shard->slots ? *find_slot(shard, type, id) : 0;
    IndexEntry claim = { .pack = NO_PACK };

    if (slot)
        claim = *claim_of(shard, slot);
    pthread_mutex_unlock(&shard->mutex);
    if (index_entry_pack(&claim) == NO_PACK)
        return false;
    pthread_mutex_lock(&claims->packs_mutex);
    ret_place->pack = g_array_index(claims->packs, Id, index_entry_pack(&claim));
    pthread_mutex_unlock(&claims->packs_mutex);
    ret_place->offset = claim.offset;
    ret_place->length = claim.length;
    ret_place->plain_len = claim.plain_len;
    return true;
}
