/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a backup_manifest, in two slicings: both see the same files. The text's own checksum
 * is put right first, or hardly any would be accepted. */
#include "codec/hash.h"
#include "pg/backupmanifest.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool on_file(void *user, const ManifestFile *file, GError **error)
{
    (void)error;
    g_assert_cmpuint(strlen(file->path), >, 0);
    g_string_append_printf(user, "%s %" G_GUINT64_FORMAT " %d %x\n", file->path, file->size,
                           file->has_crc, file->crc);
    return true;
}

static bool on_range(void *user, const ManifestRange *range, GError **error)
{
    (void)error;
    g_string_append_printf(user, "%u %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
                           range->timeline, range->start, range->end);
    return true;
}

static const ManifestReceiver receiver = { on_file, on_range };

static bool run(const GString *text, size_t slice, GString *seen)
{
    g_autoptr(BackupManifest) manifest = backup_manifest_new(&receiver, seen);

    for (size_t at = 0; at < text->len; at += slice)
        if (!backup_manifest_feed(manifest, text->str + at, MIN(slice, text->len - at), NULL))
            return false;
    return backup_manifest_finish(manifest, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(GString) text = g_string_new_len((const char *)data, (gssize)len);
    g_autoptr(GString) whole = g_string_new(NULL), sliced = g_string_new(NULL);
    Id sha256;
    bool ok;

    hash_bytes(text->str, text->len, &sha256);
    g_string_append_printf(text, "\"Manifest-Checksum\": \"%s\"}\n", id_hex(&sha256).text);
    ok = run(text, text->len, whole);
    g_assert_true(run(text, 7, sliced) == ok);
    g_assert_true(!ok || g_string_equal(whole, sliced));
    return 0;
}
