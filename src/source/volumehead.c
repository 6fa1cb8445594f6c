/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumehead.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#define MARK     "backstay: unfinished restore"
#define MARK_LEN 512u

typedef struct {
    const uint8_t *bytes;
    size_t len;
} Bytes;

static bool has(const Bytes *in, size_t offset, const char *magic, size_t len)
{
    return in->len >= offset + len && memcmp(in->bytes + offset, magic, len) == 0;
}

static uint32_t little32(const Bytes *in, size_t offset)
{
    const uint8_t *at = in->bytes + offset;

    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Text of at most max bytes that a zero may end. */
static void take_text(const Bytes *in, size_t offset, size_t max, char *out, size_t size)
{
    size_t len = offset < in->len ? MIN(MIN(max, in->len - offset), size - 1) : 0;

    memcpy(out, in->bytes + offset, len);
    out[len] = '\0';
}

/* The bytes of a UUID in this order. */
static void print_uuid(const uint8_t *bytes, const uint8_t order[16], char out[64])
{
    size_t n = 0;

    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[n++] = '-';
        n += (size_t)snprintf(out + n, 64 - n, "%02x", bytes[order[i]]);
    }
}

static void take_uuid(const Bytes *in, size_t offset, VolumeHead *head)
{
    static const uint8_t order[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

    if (in->len >= offset + 16)
        print_uuid(in->bytes + offset, order, head->uuid);
}

/* ---- each kind ---- */

#define EXT_AT          1024u
#define EXT_HAS_JOURNAL 0x4u
#define EXT4_ONLY       (0x40u | 0x80u | 0x200u) /* extents, 64bit, flex_bg */

static bool look_ext(const Bytes *in, VolumeHead *head)
{
    if (!has(in, EXT_AT + 0x38, "\x53\xef", 2) || in->len < EXT_AT + 0x88)
        return false;
    head->type = little32(in, EXT_AT + 0x60) & EXT4_ONLY         ? "ext4"
                 : little32(in, EXT_AT + 0x5c) & EXT_HAS_JOURNAL ? "ext3"
                                                                 : "ext2";
    take_uuid(in, EXT_AT + 0x68, head);
    take_text(in, EXT_AT + 0x78, 16, head->label, sizeof head->label);
    return true;
}

static bool look_xfs(const Bytes *in, VolumeHead *head)
{
    if (!has(in, 0, "XFSB", 4))
        return false;
    head->type = "xfs";
    take_uuid(in, 32, head);
    take_text(in, 108, 12, head->label, sizeof head->label);
    return true;
}

#define BTRFS_AT 0x10000u

static bool look_btrfs(const Bytes *in, VolumeHead *head)
{
    if (!has(in, BTRFS_AT + 0x40, "_BHRfS_M", 8))
        return false;
    head->type = "btrfs";
    take_uuid(in, BTRFS_AT + 0x20, head);
    take_text(in, BTRFS_AT + 0x12b, 256, head->label, sizeof head->label);
    return true;
}

static bool look_luks(const Bytes *in, VolumeHead *head)
{
    if (!has(in, 0, "LUKS\xba\xbe", 6))
        return false;
    head->type = "luks";
    take_text(in, 168, 40, head->uuid, sizeof head->uuid);
    return true;
}

static bool look_lvm(const Bytes *in, VolumeHead *head)
{
    for (size_t at = 0; at < 2048; at += 512)
        if (has(in, at, "LABELONE", 8) && has(in, at + 24, "LVM2 001", 8)) {
            head->type = "lvm";
            take_text(in, at + 32, 32, head->uuid, sizeof head->uuid);
            return true;
        }
    return false;
}

static bool look_swap(const Bytes *in, VolumeHead *head)
{
    if (!has(in, 4086, "SWAPSPACE2", 10))
        return false;
    head->type = "swap";
    take_uuid(in, 1036, head);
    take_text(in, 1052, 16, head->label, sizeof head->label);
    return true;
}

static bool look_table(const Bytes *in, VolumeHead *head)
{
    // of a GUID the first three parts are little endian (UEFI, "GPT Header")
    static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

    for (size_t at = 512; at <= 4096; at *= 8)
        if (has(in, at, "EFI PART", 8) && in->len >= at + 72) {
            head->type = "gpt";
            print_uuid(in->bytes + at + 56, order, head->uuid);
            return true;
        }
    if (!has(in, 510, "\x55\xaa", 2))
        return false;
    head->type = "mbr"; // a partition table, or the boot sector of a FAT
    if (little32(in, 440) != 0)
        (void)snprintf(head->uuid, sizeof head->uuid, "%08x", little32(in, 440));
    return true;
}

void volume_head_look(const uint8_t *head, size_t len, VolumeHead *ret_head)
{
    Bytes in = { head, len };

    *ret_head = (VolumeHead){ 0 };
    (void)(look_luks(&in, ret_head) || look_lvm(&in, ret_head) || look_xfs(&in, ret_head) ||
           look_ext(&in, ret_head) || look_btrfs(&in, ret_head) || look_swap(&in, ret_head) ||
           look_table(&in, ret_head));
}

bool volume_head_same(const VolumeHead *a, const VolumeHead *b)
{
    return a->type && b->type && strcmp(a->type, b->type) == 0 && *a->uuid &&
           strcmp(a->uuid, b->uuid) == 0;
}

/* ---- the mark ---- */

void volume_mark_make(uint8_t *head, size_t len, const Id *snapshot)
{
    char text[MARK_LEN] = { 0 };

    (void)snprintf(text, sizeof text,
                   MARK " of snapshot %s\nThis volume is not whole. Run the same restore again: "
                        "what is there already is not written twice.\n",
                   id_hex(snapshot).text);
    memset(head, 0, len);
    memcpy(head, text, MIN(len, sizeof text));
}

bool volume_mark_is(const uint8_t *head, size_t len)
{
    return len >= strlen(MARK) && memcmp(head, MARK, strlen(MARK)) == 0;
}
