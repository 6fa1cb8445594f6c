/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `lvs --reportformat json` says of the logical volumes of a volume group (lvmreport(7)), and
 * what follows from it: which snapshots were left behind, and how large one may become. Pure.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Of those that Backstay makes. */
#define LVM_PREFIX "backstay-"
#define LVM_DIGITS 16u
#define LVM_TAG    "backstay"

/* For -o; with --binary --units b --nosuffix. */
#define LVM_FIELDS                                                                                 \
    "vg_name,vg_extent_size,vg_free_count,lv_name,lv_uuid,lv_dm_path,lv_size,lv_layout,lv_tags,"   \
    "origin_uuid,pool_lv_uuid,data_percent,metadata_percent,lv_device_open,lv_snapshot_invalid,"   \
    "lv_kernel_major,lv_kernel_minor"

typedef struct {
    char *vg, *name, *uuid, *path;         /* path: below /dev/mapper */
    char *origin, *pool;                   /* their UUIDs; "": none */
    char *layout, *tags;                   /* words with commas between them */
    uint64_t size, extent;                 /* bytes */
    uint64_t vg_free;                      /* extents */
    double data_percent, metadata_percent; /* 0: not told */
    bool open;                             /* somebody has it open */
    bool invalid;                          /* a snapshot that overflowed */
    dev_t device;                          /* 0: not active */
} LvmVolume;

/* The UUIDs as LVM writes them, of what the device mapper calls "LVM-" and 64 letters. False: it is
 * no logical volume, or one that LVM keeps for itself. Both to be freed. */
bool lvm_uuid_split(const char *dm_uuid, char **ret_vg, char **ret_lv);

/* Of LvmVolume. BS_ERROR_CORRUPT: it is no such report. */
GPtrArray *lvm_report_parse(const char *text, size_t len, GError **error);
const LvmVolume *lvm_report_find(const GPtrArray *volumes, const char *uuid); /* or NULL */
const LvmVolume *lvm_report_named(const GPtrArray *volumes, const char *name);

bool lvm_is_thin(const LvmVolume *volume); /* not the pool itself */
/* A snapshot whose content is lost; a thin one shares its pool and never is. */
bool lvm_has_overflowed(const LvmVolume *volume);
/* A snapshot of this origin that Backstay made and nobody reads. */
bool lvm_is_left(const LvmVolume *volume, const LvmVolume *origin);

/* Less room than this for what is written meanwhile is not worth a snapshot; in bytes. */
uint64_t lvm_least(uint64_t size);
/* Extents for a snapshot when so many volumes share what is free; 0: there is no room. */
uint64_t lvm_snapshot_extents(const LvmVolume *origin, unsigned shares);
/* Bytes that a thin pool has left; 0 when its metadata is nearly full. */
uint64_t lvm_pool_room(const LvmVolume *pool);
