/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the segments of a volume lie in its folder: "000000", "000001" and so on, and of a volume
 * of more than four of them in folders "00000", "00001" ..., for a directory is one blob that says
 * what each of its files consists of, stored anew whenever one of them changed. A segment has 1
 * GiB. Pure.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t size, segment, n_segments;
    uint64_t folder; /* segments in a folder; 0: there are none */
} VolumeLayout;

/* cut: what the volume is cut in. */
VolumeLayout volume_layout(uint64_t size, size_t cut);
/* Of a volume that is there, whose folders are not asked for. */
VolumeLayout volume_layout_of(uint64_t size, uint64_t segment);
uint64_t volume_layout_len(const VolumeLayout *layout, uint64_t n); /* of that segment */
bool volume_layout_begins_folder(const VolumeLayout *layout, uint64_t n);
bool volume_layout_ends_folder(const VolumeLayout *layout, uint64_t n);
/* "00000", and "000000" or "00000/000000": below the folder of the volume. To be freed. */
char *volume_layout_folder(const VolumeLayout *layout, uint64_t n);
char *volume_layout_path(const VolumeLayout *layout, uint64_t n);
/* Which segment has this name; names of several digits only. */
bool volume_layout_number(const char *name, uint64_t *ret_n);
