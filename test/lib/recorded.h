/* SPDX-License-Identifier: Apache-2.0 */
/* What real servers left behind, below test/fixtures/postgres (record.py there wrote it). */
#pragma once
#include "codec/compress.h"
#include <glib.h>
#include <string.h>

#define RECORDED_MAX (64 << 20)

static const int recorded_releases[] = { 13, 14, 15, 16, 17, 18 };

/* One file of a release, unpacked, with a zero byte after its end. */
static inline GByteArray *recorded(int release, const char *name)
{
    g_autofree char *number = g_strdup_printf("%d", release);
    g_autofree char *path = g_build_filename(g_getenv("FIXTURES"), "postgres", number, name, NULL);
    g_autofree char *packed = g_strconcat(path, ".zst", NULL);
    g_autoptr(GError) error = NULL;
    GByteArray *bytes = NULL;
    char *text = NULL;
    gsize len;

    if (g_file_test(packed, G_FILE_TEST_EXISTS)) {
        g_autoptr(Decompressor) decompressor = decompressor_new();
        g_autofree char *frame = NULL;

        g_file_get_contents(packed, &frame, &len, &error);
        g_assert_no_error(error);
        decompress_bounded(decompressor, frame, len, RECORDED_MAX, &bytes, &error);
    } else if (g_file_get_contents(path, &text, &len, &error)) {
        bytes = g_byte_array_new_take((guint8 *)text, len);
    }
    g_assert_no_error(error);
    g_byte_array_append(bytes, (const guint8 *)"", 1);
    g_byte_array_set_size(bytes, bytes->len - 1);
    return bytes;
}

/* The lines of a text file. */
static inline GStrv recorded_lines(int release, const char *name)
{
    g_autoptr(GByteArray) bytes = recorded(release, name);

    while (bytes->len && bytes->data[bytes->len - 1] == '\n')
        bytes->data[--bytes->len] = '\0';
    return g_strsplit((const char *)bytes->data, "\n", -1);
}

/* What the server said of its control file. */
static inline char *recorded_control(int release, const char *key)
{
    g_auto(GStrv) lines = recorded_lines(release, "control.txt");

    for (char **line = lines; *line; line++)
        if (g_str_has_prefix(*line, key) && (*line)[strlen(key)] == '\t')
            return g_strdup(*line + strlen(key) + 1);
    g_error("control.txt of release %d has no %s", release, key);
}
