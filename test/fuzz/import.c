/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a file of unknown kind: recognised, unpacked, walked to the end. What is encrypted
 * would start GnuPG for each, and a database has a target of its own. */
#include "flow/openpgp.h"
#include "importbytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autofree uint8_t *begin = g_memdup2(data, MIN(len, 64)); // nothing behind may be looked at
    bool encrypted = openpgp_looks_encrypted(begin, MIN(len, 64));

    g_assert_true(encrypted == openpgp_looks_encrypted(data, len));
    if (!encrypted)
        import_bytes(data, len, "x.any", IMPORT_DETECT, IMPORT_SQLITE, NULL);
    return 0;
}
