/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-64 as Redis computes it over its dumps (its crc64.c, after Jones): polynomial
 * 0xad93d23594c935a9, reflected, from zero. Pure; any thread.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* before: 0 to begin, or the checksum of what came before. */
uint64_t crc64(uint64_t before, const void *data, size_t len);
/* The same without instructions that not every processor has. */
uint64_t crc64_portable(uint64_t before, const void *data, size_t len);
