/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a volume is compared by: the SHA-256 of all its bytes, which sha256sum tells, too; or, where
 * most of it are holes, for a terabyte of zeros takes minutes to hash, the SHA-256 of the SHA-256
 * of each MiB (those of a MiB of zeros are known). One thread.
 */
#pragma once
#include "codec/hash.h"
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define VOLUME_SUM_BLOCK ((size_t)1 << 20)

typedef struct {
    bool blocks; /* of the blocks' */
    Id id;
} VolumeId;

typedef struct VolumeSum VolumeSum;

/* Which one a volume is given: holes in bytes, as far as they are known before it is read. */
bool volume_sum_wants_blocks(uint64_t holes);
VolumeSum *volume_sum_new(bool blocks);
void volume_sum_free(VolumeSum *sum);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VolumeSum, volume_sum_free)
/* The next piece; data NULL: zeros. All but the last are whole blocks long. */
void volume_sum_add(VolumeSum *sum, const uint8_t *data, uint64_t len);
void volume_sum_end(VolumeSum *sum, VolumeId *ret_id);

/* In "volume" of the manifest: "sha256" or "blocks_sha256". False: neither is there. */
void volume_id_describe(const VolumeId *id, json_t *facts);
bool volume_id_find(const json_t *facts, VolumeId *ret_id);
