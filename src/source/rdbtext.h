/* SPDX-License-Identifier: Apache-2.0 */
/* Strings of a Redis database file that are not written as they are (rdb.c,
 * rdbGenericLoadStringObject()). Pure. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* LZF, as Marc Lehmann's liblzf packs it: out gets exactly out_len bytes, or false. */
bool rdb_unpack(const uint8_t *data, size_t len, uint8_t *out, size_t out_len);
/* A number of 1, 2 or 4 bytes, little end first, as the decimal text it stands for. */
void rdb_number_text(const uint8_t *data, size_t len, GByteArray *out);
