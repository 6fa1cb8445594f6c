/* SPDX-License-Identifier: Apache-2.0 */
#include "source/lvmreport.h"

#include "base/error.h"
#include <string.h>
#include <sys/sysmacros.h>

#define MIB    (UINT64_C(1) << 20)
#define ORIGIN "ivV3XZ-FP9x-0uJO-YG9Y-LWvH-uhO4-Sd8B3t"
#define POOL   "pRTlhx-7Wms-yqko-KdoU-vbSO-KeT3-GTO0g9"
#define LEFT   "backstay-f79c81311ad1e788"

/* Rows as LVM 2.03.16 wrote them: a volume, a snapshot of it that overflowed, a thin pool and a
 * volume in it. */
static const char report[] =
    "  {\n      \"report\": [\n          {\n              \"lv\": [\n"
    "{\"vg_name\":\"vg0\", \"vg_extent_size\":\"4194304\", \"vg_free_count\":\"11\", "
    "\"lv_name\":\"b\", \"lv_uuid\":\"ivV3XZ-FP9x-0uJO-YG9Y-LWvH-uhO4-Sd8B3t\", "
    "\"lv_dm_path\":\"/dev/mapper/vg0-b\", \"lv_size\":\"25165824\", "
    "\"lv_layout\":\"linear\", \"lv_tags\":\"\", \"origin_uuid\":\"\", "
    "\"pool_lv_uuid\":\"\", \"data_percent\":\"\", \"metadata_percent\":\"\", "
    "\"lv_device_open\":\"1\", \"lv_snapshot_invalid\":\"-1\", \"lv_kernel_major\":\"254\", "
    "\"lv_kernel_minor\":\"1\"},\n"
    "{\"vg_name\":\"vg0\", \"vg_extent_size\":\"4194304\", \"vg_free_count\":\"11\", "
    "\"lv_name\":\"backstay-f79c81311ad1e788\", "
    "\"lv_uuid\":\"NAXqcc-dn4y-K3qL-cRRV-0v4h-HPS0-mM7ASy\", "
    "\"lv_dm_path\":\"/dev/mapper/vg0-backstay--f79c81311ad1e788\", "
    "\"lv_size\":\"16777216\", \"lv_layout\":\"linear\", \"lv_tags\":\"backstay\", "
    "\"origin_uuid\":\"ivV3XZ-FP9x-0uJO-YG9Y-LWvH-uhO4-Sd8B3t\", \"pool_lv_uuid\":\"\", "
    "\"data_percent\":\"100.00\", \"metadata_percent\":\"\", \"lv_device_open\":\"0\", "
    "\"lv_snapshot_invalid\":\"1\", \"lv_kernel_major\":\"254\", \"lv_kernel_minor\":\"7\"},\n"
    "{\"vg_name\":\"vg0\", \"vg_extent_size\":\"4194304\", \"vg_free_count\":\"22\", "
    "\"lv_name\":\"pool\", \"lv_uuid\":\"pRTlhx-7Wms-yqko-KdoU-vbSO-KeT3-GTO0g9\", "
    "\"lv_dm_path\":\"/dev/mapper/vg0-pool\", \"lv_size\":\"29360128\", \"lv_layout\":\"thin,"
    "pool\", \"lv_tags\":\"\", \"origin_uuid\":\"\", \"pool_lv_uuid\":\"\", "
    "\"data_percent\":\"8.71\", \"metadata_percent\":\"10.94\", \"lv_device_open\":\"1\", "
    "\"lv_snapshot_invalid\":\"-1\", \"lv_kernel_major\":\"254\", \"lv_kernel_minor\":\"2\"},\n"
    "{\"vg_name\":\"vg0\", \"vg_extent_size\":\"4194304\", \"vg_free_count\":\"22\", "
    "\"lv_name\":\"thin\", \"lv_uuid\":\"zYKth9-o7aZ-kxxp-1FFE-YzG0-3LeU-DdFxbt\", "
    "\"lv_dm_path\":\"/dev/mapper/vg0-thin\", \"lv_size\":\"16777216\", \"lv_layout\":\"thin,"
    "sparse\", \"lv_tags\":\"\", \"origin_uuid\":\"\", "
    "\"pool_lv_uuid\":\"pRTlhx-7Wms-yqko-KdoU-vbSO-KeT3-GTO0g9\", "
    "\"data_percent\":\"15.23\", \"metadata_percent\":\"\", \"lv_device_open\":\"1\", "
    "\"lv_snapshot_invalid\":\"-1\", \"lv_kernel_major\":\"254\", \"lv_kernel_minor\":\"4\"}\n"
    "              ]\n          }\n      ]\n  }\n";

static void reads_a_report(void)
{
    g_autoptr(GPtrArray) volumes = lvm_report_parse(report, strlen(report), NULL);
    const LvmVolume *origin, *snapshot, *pool, *thin;

    g_assert_nonnull(volumes);
    g_assert_cmpuint(volumes->len, ==, 4);
    origin = lvm_report_find(volumes, ORIGIN);
    snapshot = lvm_report_named(volumes, LEFT);
    thin = lvm_report_named(volumes, "thin");
    g_assert_true(origin && snapshot && thin);
    g_assert_cmpstr(thin->pool, ==, POOL);
    pool = lvm_report_find(volumes, thin->pool);
    g_assert_nonnull(pool);
    g_assert_null(lvm_report_named(volumes, "a"));
    g_assert_cmpstr(origin->path, ==, "/dev/mapper/vg0-b");
    g_assert_cmpuint(origin->size, ==, 24 * MIB);
    g_assert_cmpuint(origin->vg_free, ==, 11);
    g_assert_true(origin->open && !snapshot->open && thin->open);
    g_assert_true(thin->device == makedev(254, 4));
    g_assert_true(lvm_is_thin(thin) && !lvm_is_thin(pool) && !lvm_is_thin(origin));
    g_assert_true(lvm_has_overflowed(snapshot));
    g_assert_false(lvm_has_overflowed(thin));
    g_assert_cmpuint(lvm_pool_room(pool), ==, (uint64_t)(29360128 * 0.9129));
    g_assert_true(lvm_is_left(snapshot, origin));
}

static char *changed_to(const char *from, const char *to)
{
    g_auto(GStrv) parts = g_strsplit(report, from, 2);

    g_assert_nonnull(parts[1]);
    return g_strjoin(to, parts[0], parts[1], NULL);
}

static void knows_what_does_not_apply(void)
{
    g_autofree char *idle = changed_to("\"lv_kernel_major\":\"254\", \"lv_kernel_minor\":\"1\"",
                                       "\"lv_kernel_major\":\"-1\", \"lv_kernel_minor\":\"-1\"");
    g_autofree char *full = changed_to("\"15.23\"", "\"100.00\"");
    g_autoptr(GPtrArray) idle_volumes = lvm_report_parse(idle, strlen(idle), NULL);
    g_autoptr(GPtrArray) full_volumes = lvm_report_parse(full, strlen(full), NULL);

    g_assert_true(idle_volumes && full_volumes);
    g_assert_true(lvm_report_find(idle_volumes, ORIGIN)->device == 0);
    g_assert_false(lvm_has_overflowed(lvm_report_named(full_volumes, "thin")));
}

static void refuses_what_is_no_report(void)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "[]",
        "{\"report\": []}",
        "{\"report\": [{\"vg\": []}]}",
        "{\"report\": [{\"lv\": [{}]}]}",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(lvm_report_parse(wrong[i], strlen(wrong[i]), &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
    // cut off, and a value that is something else
    for (size_t len = 0; len < strlen(report) - 4; len += 7)
        g_assert_null(lvm_report_parse(report, len, NULL));
    for (const char *at = report; (at = strstr(at, "\":\"")); at++) {
        g_autofree char *changed = g_strdup(report);

        changed[at + 2 - report] = '1'; // a string no more
        g_assert_null(lvm_report_parse(changed, strlen(changed), NULL));
    }
}

static void knows_what_was_left(void)
{
    static const struct {
        const char *label, *name, *tags, *origin;
        bool open, left;
    } cases[] = {
        { "ours", "backstay-0123456789abcdef", "backstay", ORIGIN, false, true },
        { "with another tag", "backstay-0123456789abcdef", "x,backstay", ORIGIN, false, true },
        { "somebody reads it", "backstay-0123456789abcdef", "backstay", ORIGIN, true, false },
        { "of another volume", "backstay-0123456789abcdef", "backstay", "other", false, false },
        { "no snapshot", "backstay-0123456789abcdef", "backstay", "", false, false },
        { "without the tag", "backstay-0123456789abcdef", "", ORIGIN, false, false },
        { "a longer tag", "backstay-0123456789abcdef", "backstay2", ORIGIN, false, false },
        { "another name", "data-backup", "backstay", ORIGIN, false, false },
        { "too short", "backstay-0123456789abcde", "backstay", ORIGIN, false, false },
        { "too long", "backstay-0123456789abcdef0", "backstay", ORIGIN, false, false },
        { "no digits", "backstay-0123456789abcdeg", "backstay", ORIGIN, false, false },
        { "nothing else", "backstay-", "backstay", ORIGIN, false, false },
    };
    LvmVolume origin = { .uuid = (char *)ORIGIN };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        LvmVolume volume = { .name = (char *)cases[i].name,
                             .tags = (char *)cases[i].tags,
                             .origin = (char *)cases[i].origin,
                             .open = cases[i].open };

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(lvm_is_left(&volume, &origin), ==, cases[i].left);
    }
}

static void sizes_a_snapshot(void)
{
    static const struct {
        const char *label;
        uint64_t size_mib, free;
        unsigned shares;
        uint64_t want;
    } cases[] = {
        { "a fifth of a large one", 100 * 1024, 100000, 1, 5120 },
        { "what there is, when it is less", 100 * 1024, 1000, 1, 1000 },
        { "a fiftieth at least", 100 * 1024, 512, 1, 512 },
        { "or nothing", 100 * 1024, 511, 1, 0 },
        { "its share", 100 * 1024, 2000, 2, 1000 },
        { "a share that is too small", 100 * 1024, 1023, 2, 0 },
        { "of a small one 16 MiB", 24, 100, 1, 4 },
        { "or nothing", 24, 3, 1, 0 },
        { "of a tiny one all of it", 6, 100, 1, 2 },
        { "nothing is free", 24, 0, 1, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        LvmVolume origin = { .size = cases[i].size_mib * MIB,
                             .extent = 4 * MIB,
                             .vg_free = cases[i].free };

        g_test_message("%s", cases[i].label);
        g_assert_cmpuint(lvm_snapshot_extents(&origin, cases[i].shares), ==, cases[i].want);
    }
    g_assert_cmpuint(lvm_least(G_MAXUINT64), >, G_MAXUINT64 / 51);
}

static void measures_a_pool(void)
{
    LvmVolume pool = { .size = 1000 * MIB, .data_percent = 90, .metadata_percent = 89.9 };

    g_assert_cmpuint(lvm_pool_room(&pool), ==, 100 * MIB);
    pool.metadata_percent = 90;
    g_assert_cmpuint(lvm_pool_room(&pool), ==, 0);
    pool = (LvmVolume){ .size = 1000 * MIB, .data_percent = 100 };
    g_assert_cmpuint(lvm_pool_room(&pool), ==, 0);
}

static void splits_uuids(void)
{
    static const char *const wrong[] = {
        "",
        "LVM-",
        "CRYPT-LUKS2-0123456789abcdef0123456789abcdef-x",
        "LVM-Y6hGPV7OHRdsQYNZyPrWD4rBrreBG9kDa1rYpKDd6nYdBo9S0rPoEw7ZdvpxJjZ",
        "LVM-Y6hGPV7OHRdsQYNZyPrWD4rBrreBG9kDa1rYpKDd6nYdBo9S0rPoEw7ZdvpxJjZc-real",
        "LVM-Y6hGPV7OHRdsQYNZyPrWD4rBrreBG9kDa1rYpKDd6nYdBo9S0rPoEw7Zdvpx-JZc",
    };
    g_autofree char *vg = NULL, *lv = NULL;

    g_assert_true(lvm_uuid_split(
        "LVM-Y6hGPV7OHRdsQYNZyPrWD4rBrreBG9kDa1rYpKDd6nYdBo9S0rPoEw7ZdvpxJjZc", &vg, &lv));
    g_assert_cmpstr(vg, ==, "Y6hGPV-7OHR-dsQY-NZyP-rWD4-rBrr-eBG9kD");
    g_assert_cmpstr(lv, ==, "a1rYpK-Dd6n-YdBo-9S0r-PoEw-7Zdv-pxJjZc");
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
        g_assert_false(lvm_uuid_split(wrong[i], &vg, &lv));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lvmreport/reads-a-report", reads_a_report);
    g_test_add_func("/lvmreport/knows-what-does-not-apply", knows_what_does_not_apply);
    g_test_add_func("/lvmreport/refuses-what-is-no-report", refuses_what_is_no_report);
    g_test_add_func("/lvmreport/knows-what-was-left", knows_what_was_left);
    g_test_add_func("/lvmreport/sizes-a-snapshot", sizes_a_snapshot);
    g_test_add_func("/lvmreport/measures-a-pool", measures_a_pool);
    g_test_add_func("/lvmreport/splits-uuids", splits_uuids);
    return g_test_run();
}
