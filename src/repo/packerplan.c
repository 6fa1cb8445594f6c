/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/packerplan.h"

#include "repo/openpack.h"

#define PACK_TARGET   ((size_t)16 * 1024 * 1024)
#define OPEN_PACKS    2                  /* one of each type */
#define PACKS_MAX     (10 * PACK_TARGET) /* so, eight uploads of packs of the default size */
#define SPARE_BATCHES 4                  /* two open files, two on their way */
#define WORKERS_LEAST                                                                              \
    4 /* whatever the packs cost; with packs above 40 MiB that breaks the bound                    \
       */

PackerPlan packer_plan(unsigned cores, unsigned connections, size_t pack_size)
{
    size_t largest_blob = open_pack_capacity_for(CHUNK_MAX + SEAL_OVERHEAD);
    PackerPlan plan = { .pack_capacity = MAX(pack_size ? pack_size : PACK_TARGET, largest_blob) };
    size_t packs = MAX(PACKS_MAX / plan.pack_capacity, OPEN_PACKS + 1);
    size_t packs_len, batches;

    // larger packs are worth several smaller ones
    plan.uploads = (unsigned)MAX(connections * PACK_TARGET / plan.pack_capacity, 1);
    plan.uploads = MIN(plan.uploads, MIN(MAX(connections, 1), (unsigned)packs - OPEN_PACKS));
    packs_len = (OPEN_PACKS + plan.uploads) * plan.pack_capacity;
    batches =
        packs_len < PACKER_MEMORY_MAX ? (PACKER_MEMORY_MAX - packs_len) / PACKER_BATCH_SIZE : 0;
    batches = MAX(batches, WORKERS_LEAST + SPARE_BATCHES);
    plan.workers = (unsigned)CLAMP(MIN(cores, batches - SPARE_BATCHES), 1, PACKER_WORKERS);
    plan.batches = plan.workers + SPARE_BATCHES;
    return plan;
}
