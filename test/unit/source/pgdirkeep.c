/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdirkeep.h"
#include "pg/manifestwriter.h"
#include <string.h>

#define STARTED 1700000000
#define SETTLED 3600
#define OLD     (STARTED - SETTLED - 1)
#define DEVICE  2049
#define OFFSET  1690000000000
#define SIZE    8192
#define CRC     0x12345678

static bool append(void *user, const void *data, size_t len, GError **error)
{
    (void)error;
    g_byte_array_append(user, data, (guint)len);
    return true;
}

static GBytes *manifest_of(const char *const *paths)
{
    GByteArray *text = g_byte_array_new();
    g_autoptr(ManifestWriter) writer = manifest_writer_new(15, 1, append, text);

    for (; *paths; paths++) {
        ManifestLine line = { .path = *paths, .size = SIZE, .mtime = OLD, .crc = CRC };

        g_assert_true(manifest_writer_add(writer, &line, NULL));
    }
    g_assert_true(manifest_writer_finish(writer, NULL));
    return g_byte_array_free_to_bytes(text);
}

static GBytes *good_manifest(void)
{
    static const char *const paths[] = { "base/5/16384",      "base/5/16384_vm", "base/5/666",
                                         "base/5/PG_VERSION", "pg_xact/0000",    NULL };

    return manifest_of(paths);
}

static PgDirCircumstances circumstances(void)
{
    return (PgDirCircumstances){
        .system_id = 7000000000000000001,
        .boot = (char *)"a boot",
        .server_started = (char *)"1699990000.123456",
        .started = STARTED,
        .clock_offset_ms = OFFSET,
        .device = DEVICE,
        .local = true,
        .pages_checked = true,
    };
}

static GBytes *facts_of(const PgDirCircumstances *then)
{
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, then->system_id);
    json_t *facts = json_pack("{s:{s:s}, s:{s:b, s:[{s:s, s:i, s:i}], s:o}}", "cluster",
                              "system_id", id, "directory", "pages_checked", then->pages_checked,
                              "damaged", "file", "base/5/666", "block", 0, "pages", 1,
                              "circumstances", pg_dir_circumstances_json(then));
    char *text = json_dumps(facts, 0);

    json_decref(facts);
    return g_bytes_new_with_free_func(text, strlen(text), free, text);
}

static PgDirKeep *keep_of(const PgDirCircumstances *then, const PgDirCircumstances *now)
{
    g_autoptr(GBytes) facts = facts_of(then), manifest = good_manifest();
    const char *reason = NULL;
    PgDirKeep *keep = pg_dir_keep_new(facts, manifest, now, SETTLED, &reason);

    g_test_message("%s", reason ? reason : "kept");
    g_assert_true((keep == NULL) == (reason != NULL));
    return keep;
}

static void only_under_the_same_circumstances(void)
{
    PgDirCircumstances then = circumstances(), later = circumstances(), now;
    g_autoptr(PgDirKeep) keep = NULL;

    later.started += 86400;
    later.clock_offset_ms += 400;
    keep = keep_of(&then, &later);
    g_assert_nonnull(keep);

#define NOT_WITH(change)                                                                           \
    now = later;                                                                                   \
    change;                                                                                        \
    g_test_message("%s", #change);                                                                 \
    g_assert_null(keep_of(&then, &now))

    NOT_WITH(now.system_id++);
    NOT_WITH(now.boot = (char *)"another");
    NOT_WITH(now.boot = NULL);
    NOT_WITH(now.server_started = (char *)"1699990001");
    NOT_WITH(now.server_started = NULL);
    NOT_WITH(now.clock_offset_ms += 1000);
    NOT_WITH(now.clock_offset_ms -= 1000);
    NOT_WITH(now.started = STARTED - 1);
    NOT_WITH(now.device++);
    NOT_WITH(now.local = false);
#undef NOT_WITH

    then.local = false;
    g_assert_null(keep_of(&then, &later));
    then = circumstances();
    then.pages_checked = false;
    g_assert_null(keep_of(&then, &later));
    now = later;
    now.pages_checked = false;
    g_clear_pointer(&keep, pg_dir_keep_free);
    keep = keep_of(&then, &now);
    g_assert_nonnull(keep);
}

static void only_what_was_old_when_it_was_read(void)
{
    static const struct {
        const char *label, *path;
        struct timespec mtime, ctime;
        off_t size;
        dev_t device;
        bool want;
    } cases[] = {
        { "old", "base/5/16384", { OLD, 1 }, { OLD, 2 }, SIZE, DEVICE, true },
        { "of another fork", "base/5/16384_vm", { OLD, 1 }, { OLD, 2 }, SIZE, DEVICE, true },
        { "written shortly before",
          "base/5/16384",
          { OLD + 1, 1 },
          { OLD, 1 },
          SIZE,
          DEVICE,
          false },
        { "changed shortly before",
          "base/5/16384",
          { OLD, 1 },
          { OLD + 1, 1 },
          SIZE,
          DEVICE,
          false },
        { "no fraction", "base/5/16384", { OLD, 0 }, { OLD, 1 }, SIZE, DEVICE, false },
        { "no fraction of the change",
          "base/5/16384",
          { OLD, 1 },
          { OLD, 0 },
          SIZE,
          DEVICE,
          false },
        { "another size", "base/5/16384", { OLD, 1 }, { OLD, 1 }, SIZE + 1, DEVICE, false },
        { "elsewhere", "base/5/16384", { OLD, 1 }, { OLD, 1 }, SIZE, DEVICE + 1, false },
        { "not known", "base/5/16385", { OLD, 1 }, { OLD, 1 }, SIZE, DEVICE, false },
        { "damaged", "base/5/666", { OLD, 1 }, { OLD, 1 }, SIZE, DEVICE, false },
        { "no relation", "base/5/PG_VERSION", { OLD, 1 }, { OLD, 1 }, SIZE, DEVICE, false },
        { "nor this", "pg_xact/0000", { OLD, 1 }, { OLD, 1 }, SIZE, DEVICE, false },
    };
    PgDirCircumstances then = circumstances();
    g_autoptr(PgDirKeep) keep = keep_of(&then, &then);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct stat st = { .st_dev = cases[i].device, .st_size = cases[i].size };
        uint32_t crc = 0;

        st.st_mtim = cases[i].mtime;
        st.st_ctim = cases[i].ctime;
        g_test_message("%s", cases[i].label);
        g_assert_true(pg_dir_keep_may(keep, cases[i].path, &st, &crc) == cases[i].want);
        g_assert_cmphex(crc, ==, cases[i].want ? CRC : 0);
    }
}

/* Of a backup over the network, of an older release, or of somebody else. */
static void not_after_what_says_nothing_of_it(void)
{
    static const char *const cases[] = {
        "",
        "{}",
        "[]",
        "{\"directory\": {}}",
        "{\"directory\": {\"circumstances\": {}}}",
        "{\"directory\": {\"circumstances\": {\"clock_offset_ms\": 1}}}",
    };
    g_autoptr(GBytes) manifest = good_manifest();
    PgDirCircumstances now = circumstances();

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GBytes) facts = g_bytes_new_static(cases[i], strlen(cases[i]));
        const char *reason = NULL;

        g_test_message("%s", cases[i]);
        g_assert_null(pg_dir_keep_new(facts, manifest, &now, SETTLED, &reason));
        g_assert_nonnull(reason);
    }
}

static void not_by_a_damaged_manifest(void)
{
    g_autoptr(GBytes) good = good_manifest();
    PgDirCircumstances now = circumstances();
    g_autoptr(GBytes) facts = facts_of(&now);
    gsize len;
    const char *data = g_bytes_get_data(good, &len);

    for (size_t cut = 0; cut < len; cut += 7) {
        g_autoptr(GBytes) part = g_bytes_new(data, cut);
        const char *reason = NULL;

        g_assert_null(pg_dir_keep_new(facts, part, &now, SETTLED, &reason));
        g_assert_nonnull(reason);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/source/pgdirkeep/only-under-the-same-circumstances",
                    only_under_the_same_circumstances);
    g_test_add_func("/source/pgdirkeep/only-what-was-old-when-it-was-read",
                    only_what_was_old_when_it_was_read);
    g_test_add_func("/source/pgdirkeep/not-after-what-says-nothing-of-it",
                    not_after_what_says_nothing_of_it);
    g_test_add_func("/source/pgdirkeep/not-by-a-damaged-manifest", not_by_a_damaged_manifest);
    return g_test_run();
}
