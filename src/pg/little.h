/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as the server of a little-endian machine writes them, at any address. */
#pragma once
#include <glib.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t little_u16(const void *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof value);
    return GUINT16_FROM_LE(value);
}

static inline uint32_t little_u32(const void *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return GUINT32_FROM_LE(value);
}

static inline uint64_t little_u64(const void *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return GUINT64_FROM_LE(value);
}
