/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an archive of tar, by its first byte one of files or that of an application. The
 * checksums of headers are made to fit, so that what stands in them is looked at. */
#include "flow/openpgp.h"
#include "importbytes.h"

#define BLOCK 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* POSIX.1, "pax": the bytes of the header, those of the sum itself as blanks. */
static void mend_header(uint8_t *header)
{
    unsigned sum = 0;

    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += header[i];
    g_snprintf((char *)header + 148, 7, "%06o", sum);
    memcpy(header + 257, "ustar", 5);
}

static void mend(uint8_t *data, size_t len)
{
    for (size_t at = 0; at + BLOCK <= len;) {
        g_autofree char *octal = g_strndup((char *)data + at + 124, 11);
        uint64_t size = g_ascii_strtoull(octal, NULL, 8);

        if (data[at] == 0)
            return; // the end
        mend_header(data + at);
        at += BLOCK;
        at += MIN(((size_t)MIN(size, len) + BLOCK - 1) / BLOCK * BLOCK, len - at);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t end[2 * BLOCK];
    g_autoptr(GByteArray) archive = g_byte_array_new();
    bool application;

    if (len == 0)
        return 0;
    application = *data & 1;
    g_byte_array_append(archive, data + 1, (guint)len - 1);
    if (*data & 2) {
        g_byte_array_set_size(archive, (archive->len + BLOCK - 1) / BLOCK * BLOCK);
        g_byte_array_append(archive, end, sizeof end);
    }
    if (openpgp_looks_encrypted(archive->data, archive->len))
        return 0; // that would start GnuPG
    mend(archive->data, archive->len);
    import_bytes(archive->data, archive->len,
                 application ? "x_backup_20260101_030000.tar" : "x.tar",
                 application ? IMPORT_APPLICATION : IMPORT_FILES, IMPORT_DETECT, NULL);
    return 0;
}
