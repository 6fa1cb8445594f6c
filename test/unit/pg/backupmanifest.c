/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/backupmanifest.h"
#include "base/error.h"
#include "codec/hash.h"
#include "lib/recorded.h"
#include "pg/walname.h"
#include <jansson.h>

static bool seen_file(void *user, const ManifestFile *file, GError **error)
{
    (void)error;
    g_string_append_printf(user, "%s %" G_GUINT64_FORMAT "%s", file->path, file->size,
                           file->has_crc ? "" : "\n");
    if (file->has_crc)
        g_string_append_printf(user, " %08x\n", file->crc);
    return true;
}

static bool seen_range(void *user, const ManifestRange *range, GError **error)
{
    (void)error;
    g_string_append_printf(user, "%u %s %s\n", range->timeline, lsn_text(range->start).text,
                           lsn_text(range->end).text);
    return true;
}

static const ManifestReceiver receiver = { seen_file, seen_range };

static bool parse(const void *data, size_t len, size_t slice, GString *seen,
                  uint64_t *ret_system_id, GError **error)
{
    g_autoptr(BackupManifest) manifest = backup_manifest_new(&receiver, seen);

    for (size_t at = 0; at < len; at += slice)
        if (!backup_manifest_feed(manifest, (const uint8_t *)data + at, MIN(slice, len - at),
                                  error))
            return false;
    *ret_system_id = backup_manifest_system_id(manifest);
    return backup_manifest_finish(manifest, error);
}

/* The other reader: jansson, of the whole text. */
static void read_with_jansson(const GByteArray *text, GString *seen)
{
    json_t *manifest = json_loadb((const char *)text->data, text->len, 0, NULL);
    json_t *one;
    size_t i;

    g_assert_nonnull(manifest);
    json_array_foreach(json_object_get(manifest, "Files"), i, one) g_string_append_printf(
        seen, "%s %" G_GINT64_FORMAT "\n", json_string_value(json_object_get(one, "Path")),
        (gint64)json_integer_value(json_object_get(one, "Size")));
    json_array_foreach(json_object_get(manifest, "WAL-Ranges"), i, one) g_string_append_printf(
        seen, "%d %s %s\n", (int)json_integer_value(json_object_get(one, "Timeline")),
        json_string_value(json_object_get(one, "Start-LSN")),
        json_string_value(json_object_get(one, "End-LSN")));
    json_decref(manifest);
}

static void servers_manifests_read_as_another_reader_reads_them(void)
{
    static const size_t slices[] = { 1, 61, 32768 };

    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        int release = recorded_releases[i];
        g_autoptr(GByteArray) text = recorded(release, "backup_manifest");
        g_autoptr(GString) want = g_string_new(NULL);

        read_with_jansson(text, want);
        g_assert_nonnull(strstr(want->str, "global/pg_control 8192\n"));
        for (size_t k = 0; k < G_N_ELEMENTS(slices); k++) {
            g_autoptr(GString) got = g_string_new(NULL);
            g_autoptr(GError) error = NULL;
            uint64_t system_id = 0;

            parse(text->data, text->len, slices[k], got, &system_id, &error);
            g_assert_no_error(error);
            g_assert_cmpstr(got->str, ==, want->str);
            g_assert_true((system_id != 0) == (release >= 17));
        }
    }
}

static void one_changed_bit_is_seen(void)
{
    g_autoptr(GByteArray) text = recorded(17, "backup_manifest");

    for (size_t at = 0; at < text->len; at += at < 400 || at + 400 > text->len ? 1 : 997) {
        g_autoptr(GString) seen = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        uint64_t system_id = 0;

        text->data[at] ^= (uint8_t)(1 << at % 7);
        g_assert_false(parse(text->data, text->len, 4096, seen, &system_id, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        text->data[at] ^= (uint8_t)(1 << at % 7);
    }
}

static void one_that_is_cut_is_not_whole(void)
{
    g_autoptr(GByteArray) text = recorded(15, "backup_manifest");

    for (size_t len = 0; len<text->len; len += len + 400> text->len ? 1 : 499) {
        g_autoptr(GString) seen = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        uint64_t system_id = 0;

        g_assert_false(parse(text->data, len, 4096, seen, &system_id, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

/* Lines, with the checksum that fits. */
static char *with_checksum(const char *lines)
{
    Id sha256;

    hash_bytes(lines, strlen(lines), &sha256);
    return g_strdup_printf("%s\"Manifest-Checksum\": \"%s\"}\n", lines, id_hex(&sha256).text);
}

#define HEAD "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n"
#define RANGES                                                                                     \
    "\"WAL-Ranges\": [\n{ \"Timeline\": 3, \"Start-LSN\": \"0/2000028\", \"End-LSN\": "            \
    "\"0/2000100\" }\n],\n"

static void names_and_checksums_of_all_kinds_are_read(void)
{
    g_autofree char *text = with_checksum(
        HEAD
        "\"Files\": [\n"
        "{ \"Path\": \"base/1/1\", \"Size\": 8192, \"Last-Modified\": \"2026-11-21 06:49:27 GMT\","
        " \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"0180ffa0\" },\n"
        "{ \"Encoded-Path\": \"6dff6e\", \"Size\": 0, \"Last-Modified\": \"\" },\n"
        "{ \"Path\": \"a \\\"b\\\" \\u00e4\", \"Size\": 9223372036854775807,"
        " \"Checksum-Algorithm\": \"SHA224\", \"Checksum\": \"00\", \"New\": [{\"a\": 1}] }\n"
        "],\n" RANGES);
    g_autoptr(GString) seen = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    uint64_t system_id = 0;

    parse(text, strlen(text), 3, seen, &system_id, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(seen->str, ==,
                    "base/1/1 8192 a0ff8001\n"
                    "m\xffn 0\n"
                    "a \"b\" \xc3\xa4 9223372036854775807\n"
                    "3 0/2000028 0/2000100\n");
}

static void what_no_server_writes_is_corrupt(void)
{
    static const char *const cases[] = {
        "",
        "{\n",
        "{ \"PostgreSQL-Backup-Manifest-Version\": 3,\n\"Files\": [\n],\n" RANGES,
        HEAD RANGES,
        HEAD "\"Files\": [\n],\n",
        HEAD "\"Files\": [\n{ \"Path\": \"a\" }\n],\n" RANGES,
        HEAD "\"Files\": [\n{ \"Size\": 1 }\n],\n" RANGES,
        HEAD "\"Files\": [\n{ \"Path\": \"a\", \"Size\": -1 }\n],\n" RANGES,
        HEAD "\"Files\": [\n{ \"Path\": \"\", \"Size\": 1 }\n],\n" RANGES,
        HEAD "\"Files\": [\n{ \"Path\": \"a\\u0000b\", \"Size\": 1 }\n],\n" RANGES,
        HEAD "\"Files\": [\n{ \"Encoded-Path\": \"6\", \"Size\": 1 }\n],\n" RANGES,
        HEAD "\"Files\": [\n{ \"Encoded-Path\": \"6g\", \"Size\": 1 }\n],\n" RANGES,
        HEAD "\"Files\": [\n[1]\n],\n" RANGES,
        HEAD "\"Files\": [\n\n],\n" RANGES,
        HEAD "\"Files\": [\n],\n\"Files\": [\n],\n" RANGES,
        HEAD "\"Files\": [\n],\n\"WAL-Ranges\": [\n{ \"Timeline\": 1 }\n],\n",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = with_checksum(cases[i]);
        g_autoptr(GString) seen = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        uint64_t system_id = 0;

        g_test_message("%s", cases[i]);
        g_assert_false(parse(text, strlen(text), 4096, seen, &system_id, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

static void an_endless_line_is_refused(void)
{
    g_autoptr(GString) seen = g_string_new(NULL);
    g_autoptr(BackupManifest) manifest = backup_manifest_new(&receiver, seen);
    g_autoptr(GError) error = NULL;
    char slice[4096];
    unsigned n = 0;

    memset(slice, ' ', sizeof slice);
    while (backup_manifest_feed(manifest, slice, sizeof slice, &error))
        g_assert_cmpuint(++n, <, 100);
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backupmanifest/servers", servers_manifests_read_as_another_reader_reads_them);
    g_test_add_func("/backupmanifest/bits", one_changed_bit_is_seen);
    g_test_add_func("/backupmanifest/cut", one_that_is_cut_is_not_whole);
    g_test_add_func("/backupmanifest/kinds", names_and_checksums_of_all_kinds_are_read);
    g_test_add_func("/backupmanifest/corrupt", what_no_server_writes_is_corrupt);
    g_test_add_func("/backupmanifest/endless", an_endless_line_is_refused);
    return g_test_run();
}
