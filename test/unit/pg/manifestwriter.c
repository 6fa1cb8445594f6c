/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/manifestwriter.h"
#include "base/error.h"
#include "lib/recorded.h"
#include "pg/walname.h"
#include <jansson.h>

static bool collect(void *user, const void *data, size_t len, GError **error)
{
    (void)error;
    g_string_append_len(user, data, (gssize)len);
    return true;
}

static bool write_file(ManifestWriter *writer, json_t *file)
{
    const char *time = json_string_value(json_object_get(file, "Last-Modified"));
    g_autofree char *iso = g_strndup(time, strlen("2026-11-21 06:48:21"));
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) moment = g_date_time_new_from_iso8601(iso, utc);
    ManifestLine line = {
        .path = json_string_value(json_object_get(file, "Path")),
        .size = (uint64_t)json_integer_value(json_object_get(file, "Size")),
        .mtime = g_date_time_to_unix(moment),
    };
    Id sha256;

    g_assert_cmpstr(json_string_value(json_object_get(file, "Checksum-Algorithm")), ==, "SHA256");
    g_assert_true(id_parse(json_string_value(json_object_get(file, "Checksum")), &sha256));
    line.sha256 = &sha256;
    return manifest_writer_add(writer, &line, NULL);
}

static bool write_range(ManifestWriter *writer, json_t *range)
{
    uint64_t start, end;

    g_assert_true(lsn_parse(json_string_value(json_object_get(range, "Start-LSN")), &start));
    g_assert_true(lsn_parse(json_string_value(json_object_get(range, "End-LSN")), &end));
    return manifest_writer_add_range(
        writer, (uint32_t)json_integer_value(json_object_get(range, "Timeline")), start, end, NULL);
}

/* What a server wrote, read by jansson and written again by us. */
static void writes_what_the_server_wrote(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        int release = recorded_releases[i];
        g_autoptr(GByteArray) want = recorded(release, "backup_manifest");
        g_autofree char *system_id = recorded_control(release, "system_identifier");
        json_t *manifest = json_loadb((const char *)want->data, want->len, 0, NULL);
        g_autoptr(GString) got = g_string_new(NULL);
        g_autoptr(ManifestWriter) writer =
            manifest_writer_new(release, g_ascii_strtoull(system_id, NULL, 10), collect, got);
        json_t *item;
        size_t n;

        g_assert_nonnull(manifest);
        g_assert_cmpuint(json_array_size(json_object_get(manifest, "Files")), >, 500);
        json_array_foreach(json_object_get(manifest, "Files"), n, item)
            g_assert_true(write_file(writer, item));
        json_array_foreach(json_object_get(manifest, "WAL-Ranges"), n, item)
            g_assert_true(write_range(writer, item));
        g_assert_true(manifest_writer_finish(writer, NULL));
        g_assert_cmpuint(got->len, ==, want->len);
        g_assert_cmpmem(got->str, got->len, want->data, want->len);
        json_decref(manifest);
    }
}

static void odd_paths_are_legal_json(void)
{
    g_autoptr(GString) got = g_string_new(NULL);
    g_autoptr(ManifestWriter) writer = manifest_writer_new(15, 1, collect, got);
    ManifestLine line = { .path = "a \"b\"\\\n<\xc3\xbc>", .mtime = INT64_MAX, .crc = 0x12345678 };
    json_t *manifest, *files;

    g_assert_true(manifest_writer_add(writer, &line, NULL));
    line.path = "not \xfc utf";
    g_assert_true(manifest_writer_add(writer, &line, NULL));
    g_assert_true(manifest_writer_finish(writer, NULL));
    manifest = json_loads(got->str, 0, NULL);
    g_assert_nonnull(manifest);
    files = json_object_get(manifest, "Files");
    g_assert_cmpstr(json_string_value(json_object_get(json_array_get(files, 0), "Path")), ==,
                    "a \"b\"\\\n<\xc3\xbc>");
    g_assert_cmpstr(json_string_value(json_object_get(json_array_get(files, 0), "Checksum")), ==,
                    "78563412");
    g_assert_cmpstr(json_string_value(json_object_get(json_array_get(files, 1), "Encoded-Path")),
                    ==, "6e6f7420fc20757466");
    g_assert_cmpuint(json_array_size(json_object_get(manifest, "WAL-Ranges")), ==, 0);
    json_decref(manifest);
}

static bool refuse(void *user, const void *data, size_t len, GError **error)
{
    unsigned *left = user;

    (void)data;
    (void)len;
    if ((*left)-- > 0)
        return true;
    g_set_error_literal(error, BS_ERROR, BS_ERROR_NO_SPACE, "full");
    return false;
}

static void a_full_disk_is_told_at_every_step(void)
{
    for (unsigned room = 0; room < 4; room++) {
        unsigned left = room;
        g_autoptr(ManifestWriter) writer = manifest_writer_new(17, 1, refuse, &left);
        ManifestLine line = { .path = "PG_VERSION" };
        g_autoptr(GError) error = NULL;

        g_assert_false(manifest_writer_add(writer, &line, &error) &&
                       manifest_writer_add_range(writer, 1, 1, 2, &error) &&
                       manifest_writer_finish(writer, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_NO_SPACE);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/manifestwriter/servers", writes_what_the_server_wrote);
    g_test_add_func("/manifestwriter/odd", odd_paths_are_legal_json);
    g_test_add_func("/manifestwriter/full", a_full_disk_is_told_at_every_step);
    return g_test_run();
}
