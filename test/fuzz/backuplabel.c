/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as backup_label and as tablespace_map: what is accepted can be relied on. */
#include "pg/backuplabel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(BackupLabel) label = backup_label_parse((const char *)data, len, NULL);
    g_autoptr(GArray) map = tablespace_map_parse(len % 2 ? 13 : 15, (const char *)data, len, NULL);

    if (label) {
        g_assert_cmpuint(label->timeline, >, 0);
        g_assert_cmpuint(label->checkpoint, >=, label->start);
        g_assert_nonnull(label->label);
        g_assert_nonnull(label->started);
        g_assert_true(!label->stop || (label->stop >= label->start && label->stopped));
        g_assert_true(!label->stop_timeline || label->stop_timeline >= label->timeline);
    }
    for (guint i = 0; map && i < map->len; i++)
        g_assert_cmpint(*g_array_index(map, Tablespace, i).path, ==, '/');
    return 0;
}
