/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C (Castagnoli), reflected, as in RFC 3720, ext4 and PostgreSQL. By the processor's own
 * instruction where there is one, else by tables. Pure; any thread.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* before: 0 to begin, or the checksum of what came before. */
uint32_t crc32c(uint32_t before, const void *data, size_t len);
/* The same by tables, whatever the processor can do. */
uint32_t crc32c_portable(uint32_t before, const void *data, size_t len);
