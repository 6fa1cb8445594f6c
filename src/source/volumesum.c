/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumesum.h"

/* About ten seconds of one core. */
#define HOLES_MAX (UINT64_C(16) << 30)

struct VolumeSum {
    bool blocks;
    Hash *hash; /* of bytes, or of ids */
    Id zeros;   /* of a block of them */
};

static const uint8_t zeros[VOLUME_SUM_BLOCK];

bool volume_sum_wants_blocks(uint64_t holes)
{
    return holes > HOLES_MAX;
}

VolumeSum *volume_sum_new(bool blocks)
{
    VolumeSum *sum = g_new0(VolumeSum, 1);

    sum->blocks = blocks;
    sum->hash = hash_new();
    if (blocks)
        hash_bytes(zeros, sizeof zeros, &sum->zeros);
    return sum;
}

void volume_sum_free(VolumeSum *sum)
{
    if (!sum)
        return;
    hash_free(sum->hash);
    g_free(sum);
}

static void add_block(VolumeSum *sum, const uint8_t *data, size_t len)
{
    Id id = sum->zeros;

    if (data || len < VOLUME_SUM_BLOCK)
        hash_bytes(data ? data : zeros, len, &id);
    hash_update(sum->hash, id.bytes, sizeof id.bytes);
}

void volume_sum_add(VolumeSum *sum, const uint8_t *data, uint64_t len)
{
    for (uint64_t done = 0; done < len;) {
        size_t n = (size_t)MIN(len - done, VOLUME_SUM_BLOCK);
        const uint8_t *bytes = data ? data + done : NULL;

        if (sum->blocks)
            add_block(sum, bytes, n);
        else
            hash_update(sum->hash, bytes ? bytes : zeros, n);
        done += n;
    }
}

void volume_sum_end(VolumeSum *sum, VolumeId *ret_id)
{
    ret_id->blocks = sum->blocks;
    hash_final(sum->hash, &ret_id->id);
}

void volume_id_describe(const VolumeId *id, json_t *facts)
{
    (void)json_object_set_new(facts, id->blocks ? "blocks_sha256" : "sha256",
                              json_string(id_hex(&id->id).text));
}

bool volume_id_find(const json_t *facts, VolumeId *ret_id)
{
    const char *whole = json_string_value(json_object_get(facts, "sha256"));
    const char *blocks = json_string_value(json_object_get(facts, "blocks_sha256"));

    ret_id->blocks = !whole;
    return (whole || blocks) && id_parse(whole ? whole : blocks, &ret_id->id);
}
