/* SPDX-License-Identifier: Apache-2.0 */
#include "source/lvmreport.h"

#include "base/error.h"
#include <jansson.h>
#include <string.h>
#include <sys/sysmacros.h>

#define DM_PREFIX  "LVM-"
#define UUID_LEN   32u
#define PARTS      100u /* a percent of the volume */
#define MOST       20u
#define LEAST      2u
#define LEAST_SIZE (UINT64_C(16) << 20)
#define POOL_META  90.0 /* percent */

/* ---- names ---- */

/* 6-4-4-4-4-4-6 letters. */
static char *dashed(const char *letters)
{
    static const int groups[] = { 6, 4, 4, 4, 4, 4, 6 };
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++) {
        g_string_append_printf(text, "%s%.*s", i ? "-" : "", groups[i], letters);
        letters += groups[i];
    }
    return g_string_free(text, FALSE);
}

bool lvm_uuid_split(const char *dm_uuid, char **ret_vg, char **ret_lv)
{
    const char *letters = dm_uuid + strlen(DM_PREFIX);

    if (!g_str_has_prefix(dm_uuid, DM_PREFIX) || strlen(letters) != 2u * UUID_LEN)
        return false;
    for (const char *at = letters; *at; at++)
        if (!g_ascii_isalnum(*at))
            return false;
    *ret_vg = dashed(letters);
    *ret_lv = dashed(letters + UUID_LEN);
    return true;
}

static bool has_word(const char *list, const char *word)
{
    g_auto(GStrv) words = g_strsplit(list, ",", -1);

    return g_strv_contains((const char *const *)words, word);
}

/* ---- parsing ---- */

static void volume_free(void *data)
{
    LvmVolume *volume = data;

    g_free(volume->vg);
    g_free(volume->name);
    g_free(volume->uuid);
    g_free(volume->path);
    g_free(volume->origin);
    g_free(volume->pool);
    g_free(volume->layout);
    g_free(volume->tags);
    g_free(volume);
}

/* Every value is a string; what does not apply is empty. */
static bool text_of(const json_t *row, const char *key, char **ret_text)
{
    const char *text = json_string_value(json_object_get(row, key));

    if (text)
        *ret_text = g_strdup(text);
    return text != NULL;
}

static bool number_of(const json_t *row, const char *key, uint64_t *ret_number)
{
    const char *text = json_string_value(json_object_get(row, key));
    guint64 number;

    if (!text || !g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &number, NULL))
        return false;
    *ret_number = number;
    return true;
}

/* "1", "0", and "-1" for what is not known. */
static bool flag_of(const json_t *row, const char *key, bool *ret_flag)
{
    const char *text = json_string_value(json_object_get(row, key));

    *ret_flag = g_strcmp0(text, "1") == 0;
    return text != NULL;
}

static bool percent_of(const json_t *row, const char *key, double *ret_percent)
{
    const char *text = json_string_value(json_object_get(row, key));
    char *end = NULL;

    *ret_percent = text ? g_ascii_strtod(text, &end) : 0;
    return text && !*end && *ret_percent >= 0 && *ret_percent <= 100;
}

/* One that is not active has -1. */
static bool device_of(const json_t *row, dev_t *ret_device)
{
    const char *minus = json_string_value(json_object_get(row, "lv_kernel_major"));
    uint64_t major_number, minor_number;

    *ret_device = 0;
    if (g_strcmp0(minus, "-1") == 0)
        return true;
    if (!number_of(row, "lv_kernel_major", &major_number) ||
        !number_of(row, "lv_kernel_minor", &minor_number) || major_number > G_MAXUINT32 ||
        minor_number > G_MAXUINT32)
        return false;
    *ret_device = makedev((unsigned)major_number, (unsigned)minor_number);
    return true;
}

static bool parse_volume(const json_t *row, LvmVolume *volume)
{
    return text_of(row, "vg_name", &volume->vg) && text_of(row, "lv_name", &volume->name) &&
           text_of(row, "lv_uuid", &volume->uuid) && text_of(row, "lv_dm_path", &volume->path) &&
           text_of(row, "origin_uuid", &volume->origin) &&
           text_of(row, "pool_lv_uuid", &volume->pool) &&
           text_of(row, "lv_layout", &volume->layout) && text_of(row, "lv_tags", &volume->tags) &&
           number_of(row, "lv_size", &volume->size) &&
           number_of(row, "vg_extent_size", &volume->extent) && volume->extent > 0 &&
           number_of(row, "vg_free_count", &volume->vg_free) &&
           percent_of(row, "data_percent", &volume->data_percent) &&
           percent_of(row, "metadata_percent", &volume->metadata_percent) &&
           flag_of(row, "lv_device_open", &volume->open) &&
           flag_of(row, "lv_snapshot_invalid", &volume->invalid) && device_of(row, &volume->device);
}

GPtrArray *lvm_report_parse(const char *text, size_t len, GError **error)
{
    g_autoptr(GPtrArray) volumes = g_ptr_array_new_with_free_func(volume_free);
    json_t *whole = json_loadb(text, len, 0, NULL);
    const json_t *report = json_array_get(json_object_get(whole, "report"), 0);
    const json_t *rows = json_object_get(report, "lv");
    bool ok = json_is_array(rows);

    for (size_t i = 0; ok && i < json_array_size(rows); i++) {
        LvmVolume *volume = g_new0(LvmVolume, 1);

        g_ptr_array_add(volumes, volume);
        ok = parse_volume(json_array_get(rows, i), volume);
    }
    json_decref(whole);
    if (ok)
        return g_steal_pointer(&volumes);
    g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT,
                        "lvs: its report is not one of logical volumes as LVM 2.03 writes it");
    return NULL;
}

const LvmVolume *lvm_report_find(const GPtrArray *volumes, const char *uuid)
{
    for (guint i = 0; i < volumes->len; i++)
        if (strcmp(((const LvmVolume *)volumes->pdata[i])->uuid, uuid) == 0)
            return volumes->pdata[i];
    return NULL;
}

const LvmVolume *lvm_report_named(const GPtrArray *volumes, const char *name)
{
    for (guint i = 0; i < volumes->len; i++)
        if (strcmp(((const LvmVolume *)volumes->pdata[i])->name, name) == 0)
            return volumes->pdata[i];
    return NULL;
}

/* ---- what follows from it ---- */

bool lvm_is_thin(const LvmVolume *volume)
{
    return has_word(volume->layout, "thin") && !has_word(volume->layout, "pool");
}

bool lvm_has_overflowed(const LvmVolume *volume)
{
    return !lvm_is_thin(volume) && (volume->invalid || volume->data_percent >= 100);
}

bool lvm_is_left(const LvmVolume *volume, const LvmVolume *origin)
{
    const char *digits = volume->name + strlen(LVM_PREFIX);

    return g_str_has_prefix(volume->name, LVM_PREFIX) && strlen(digits) == LVM_DIGITS &&
           strspn(digits, "0123456789abcdef") == LVM_DIGITS && has_word(volume->tags, LVM_TAG) &&
           strcmp(volume->origin, origin->uuid) == 0 && !volume->open;
}

static uint64_t share_of(uint64_t size, unsigned percent)
{
    return size / PARTS * percent + size % PARTS * percent / PARTS;
}

uint64_t lvm_least(uint64_t size)
{
    return MAX(share_of(size, LEAST), MIN(size, LEAST_SIZE));
}

static uint64_t extents_of(uint64_t bytes, uint64_t extent)
{
    return bytes / extent + (bytes % extent != 0);
}

uint64_t lvm_snapshot_extents(const LvmVolume *origin, unsigned shares)
{
    uint64_t least = extents_of(lvm_least(origin->size), origin->extent);
    uint64_t most = MAX(least, extents_of(share_of(origin->size, MOST), origin->extent));
    uint64_t have = origin->vg_free / MAX(shares, 1);

    return have < least ? 0 : MIN(have, most);
}

uint64_t lvm_pool_room(const LvmVolume *pool)
{
    if (pool->metadata_percent >= POOL_META)
        return 0;
    return (uint64_t)((double)pool->size * (100.0 - pool->data_percent) / 100.0);
}
