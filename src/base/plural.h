/* SPDX-License-Identifier: Apache-2.0 */
/* What so many are called: "1 snapshot", "0 snapshots". */
#pragma once
#include <stdint.h>

static inline const char *plural(uint64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}
