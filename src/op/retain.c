/* SPDX-License-Identifier: Apache-2.0 */
#include "op/retain.h"

#include "base/clock.h"

#define DAY ((int64_t)24 * 60 * 60) /* s */

bool op_retains(const Settings *settings, const OpenRepo *open)
{
    return open->at.remote && settings->s3.object_lock != S3_RETAIN_NONE;
}

bool op_retain(const Settings *settings, OpenRepo *open, bool packs, GHashTable *leave,
               const Cancel *cancel, uint64_t *ret_n, GError **error)
{
    int64_t now = clock_now().sec, days = settings->s3.object_lock_days;
    ProtectOptions options = { .enough_until = now + days * DAY / 2,
                               .until = now + days * DAY,
                               .packs = packs,
                               .leave = leave };

    return protect_needed(open->repo, &options, cancel, ret_n, error);
}
