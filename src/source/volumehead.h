/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the first bytes of a volume say it holds: the magic numbers, UUIDs and labels of ext2/3/4
 * (ext4 wiki, "The Super Block"), XFS, btrfs, swap, LUKS, LVM, GPT and MBR; and the mark of a
 * restore that is not finished. Pure.
 */
#pragma once
#include "base/id.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough for all of them: btrfs begins at 64 KiB. It is also what a restore writes last. */
#define VOLUME_HEAD_LEN ((size_t)1 << 20)

typedef struct {
    const char *type; /* "ext4"; NULL: nothing that we know */
    char uuid[64];    /* "" : none */
    char label[264];
} VolumeHead;

void volume_head_look(const uint8_t *head, size_t len, VolumeHead *ret_head);
/* Whether both are known, and the same volume. */
bool volume_head_same(const VolumeHead *a, const VolumeHead *b);

/* The mark takes the place of what makes a volume usable, so that half a volume is never mounted.
 * head: of len bytes; it is overwritten. */
void volume_mark_make(uint8_t *head, size_t len, const Id *snapshot);
bool volume_mark_is(const uint8_t *head, size_t len);
