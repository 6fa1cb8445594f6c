/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the text of a WAL object: a header that is accepted comes back when it is written
 * again, and its content begins within the text. */
#include "repo/walobject.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    WalHeader header, again;
    size_t begin, end;
    g_autofree char *text = NULL;

    if (!wal_header_decode(data, len, &header, &begin, NULL))
        return 0;
    g_assert_cmpuint(begin, <=, len);
    text = wal_header_encode(&header);
    g_assert_true(wal_header_decode(text, strlen(text), &again, &end, NULL));
    g_assert_cmpuint(end, ==, strlen(text));
    g_assert_cmpuint(again.object.system_id, ==, header.object.system_id);
    g_assert_cmpstr(again.object.name, ==, header.object.name);
    g_assert_cmpuint(again.len, ==, header.len);
    g_assert_true(id_equal(&again.sha256, &header.sha256));
    g_assert_true(wal_object_parse_key(wal_object_key(&header.object).text, &again.object));
    return 0;
}
