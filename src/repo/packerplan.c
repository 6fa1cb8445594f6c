/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/packerplan.h"

#include "repo/openpack.h"

#define PACK_TARGET ((size_t)16 * 1024 * 1024)
/* A pack is closed before the blob that it has no room for. With half a blob of the usual length
 * more than the target it ends near the target, as restic's do, which have one blob more. Packs of
 * 1 GiB of large files: 46 with 17 MiB, 45 with 17.5 (restic: 45), with 16 some 8 % more; each is a
 * request. */
#define PACK_ROOM(target) ((target) + (target)*3 / 32)
#define OPEN_PACKS        2 /* one of each type */
/* So, eight uploads of packs of the default size. */
#define PACKS_MAX     (10 * PACK_ROOM(PACK_TARGET))
#define SPARE_BATCHES 4 /* two open files, two on their way */
/* Whatever the packs cost; with packs above 40 MiB that breaks the bound. */
#define WORKERS_LEAST 4

PackerPlan packer_plan(unsigned cores, unsigned connections, size_t pack_size)
{
    size_t largest_blob = open_pack_capacity_for(CHUNK_MAX + SEAL_OVERHEAD);
    size_t room = PACK_ROOM(pack_size ? pack_size : PACK_TARGET);
    PackerPlan plan = { .pack_capacity = MAX(room, largest_blob) };
    size_t packs = MAX(PACKS_MAX / plan.pack_capacity, OPEN_PACKS + 1);
    size_t packs_len, batches;

    // larger packs are worth several smaller ones
    plan.uploads = (unsigned)MAX(connections * PACK_ROOM(PACK_TARGET) / plan.pack_capacity, 1);
    plan.uploads = MIN(plan.uploads, MIN(MAX(connections, 1), (unsigned)packs - OPEN_PACKS));
    packs_len = (OPEN_PACKS + plan.uploads) * plan.pack_capacity;
    batches =
        packs_len < PACKER_MEMORY_MAX ? (PACKER_MEMORY_MAX - packs_len) / PACKER_BATCH_SIZE : 0;
    batches = MAX(batches, WORKERS_LEAST + SPARE_BATCHES);
    plan.workers = (unsigned)CLAMP(MIN(cores, batches - SPARE_BATCHES), 1, PACKER_WORKERS);
    plan.batches = plan.workers + SPARE_BATCHES;
    return plan;
}
