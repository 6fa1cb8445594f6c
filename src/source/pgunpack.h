/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacks what pg_dump has packed: by zlib within an archive, by gzip in a file of its own, by LZ4
 * (frames) or zstd in either. Memory is bounded whatever the bytes are. One thread at a time. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { PG_UNPACK_ZLIB, PG_UNPACK_GZIP, PG_UNPACK_LZ4, PG_UNPACK_ZSTD } PgUnpackFormat;

typedef struct PgUnpack PgUnpack;

/* What came of it; data is valid during the call. */
typedef bool (*PgUnpackTake)(void *user, const uint8_t *data, size_t len, GError **error);

/* many: streams may follow one another, as members of gzip do (RFC 1952, 2.2). */
PgUnpack *pg_unpack_new(PgUnpackFormat format, bool many);
void pg_unpack_free(PgUnpack *unpack); /* takes NULL */
PgUnpackFormat pg_unpack_format(const PgUnpack *unpack);

/* Other data begin; those before them need not have come to their end. */
void pg_unpack_begin(PgUnpack *unpack);
/* BS_ERROR_CORRUPT: they are damaged, or go on after their end; or what take says. */
bool pg_unpack_feed(PgUnpack *unpack, const void *data, size_t len, PgUnpackTake take, void *user,
                    GError **error);
/* No more come. BS_ERROR_CORRUPT: they end early; so do none at all, unless may_be_empty. */
bool pg_unpack_end(const PgUnpack *unpack, bool may_be_empty, GError **error);
