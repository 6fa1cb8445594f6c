/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A volume from its begin to its end, without its holes and zeros. A device is read past the
 * kernel's cache (O_DIRECT): what a mounted file system writes goes past it as well, so the cache
 * may hold what is long gone. One thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define VOLUME_STEP ((size_t)1 << 20)

typedef struct VolumeRead VolumeRead;

/* size: in bytes. name: for errors; borrowed, as fd is. */
VolumeRead *volume_read_new(int fd, uint64_t size, const char *name);
void volume_read_free(VolumeRead *read);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VolumeRead, volume_read_free)

/* Bytes that the file system has given no room, about. */
uint64_t volume_read_holes(const VolumeRead *read);
/* The first VOLUME_STEP bytes, or all; until the next call. */
bool volume_read_head(VolumeRead *read, const uint8_t **ret_head, size_t *ret_len, GError **error);
/* The next piece: data until the next call, or NULL for zeros; at most up to the next multiple of
 * limit, a multiple of VOLUME_STEP. *ret_len 0: the end. BS_ERROR_CORRUPT: it ended early. */
bool volume_read_next(VolumeRead *read, uint64_t limit, const uint8_t **ret_data, uint64_t *ret_len,
                      GError **error);

bool volume_is_zero(const uint8_t *data, size_t len);
