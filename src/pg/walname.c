/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walname.h"
#include "base/error.h"
#include <string.h>

#define GROUP 8 /* hex digits of a number in a name */

bool wal_segment_size_valid(uint64_t size)
{
    return size >= WAL_SEGMENT_MIN && size <= WAL_SEGMENT_MAX && (size & (size - 1)) == 0;
}

LsnText lsn_text(uint64_t lsn)
{
    LsnText out;

    (void)g_snprintf(out.text, sizeof out.text, "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
    return out;
}

/* All of text[0..len) as hex digits of either case, at most eight. */
static bool parse_hex(const char *text, size_t len, uint32_t *ret_value)
{
    uint32_t value = 0;

    if (len == 0 || len > GROUP)
        return false;
    for (size_t i = 0; i < len; i++) {
        int digit = g_ascii_xdigit_value(text[i]);

        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *ret_value = value;
    return true;
}

bool lsn_parse_len(const char *text, size_t len, uint64_t *ret_lsn)
{
    const char *slash = memchr(text, '/', len);
    uint32_t high, low;

    if (!slash || !parse_hex(text, (size_t)(slash - text), &high) ||
        !parse_hex(slash + 1, len - (size_t)(slash + 1 - text), &low))
        return false;
    *ret_lsn = (uint64_t)high << 32 | low;
    return true;
}

bool lsn_parse(const char *text, uint64_t *ret_lsn)
{
    return lsn_parse_len(text, strlen(text), ret_lsn);
}

/* Eight digits as PostgreSQL writes them, with capital letters. */
static bool take_group(const char **text, uint32_t *ret_value)
{
    for (int i = 0; i < GROUP; i++)
        if (!g_ascii_isdigit((*text)[i]) && !((*text)[i] >= 'A' && (*text)[i] <= 'F'))
            return false;
    *text += GROUP;
    return parse_hex(*text - GROUP, GROUP, ret_value);
}

static bool take_word(const char **text, const char *word)
{
    if (!g_str_has_prefix(*text, word))
        return false;
    *text += strlen(word);
    return true;
}

static bool parse(const char *text, WalName *name)
{
    if (!take_group(&text, &name->timeline) || name->timeline == 0)
        return false;
    if (take_word(&text, ".history")) {
        name->kind = WAL_HISTORY;
        // the first timeline comes from nowhere
        return *text == '\0' && name->timeline > 1;
    }
    if (!take_group(&text, &name->high) || !take_group(&text, &name->low))
        return false;
    // no segment is smaller than 1 MiB, and the log begins with the second one
    if (name->low > UINT32_MAX / WAL_SEGMENT_MIN || (name->high == 0 && name->low == 0))
        return false;
    if (take_word(&text, ".partial")) {
        name->kind = WAL_PARTIAL;
    } else if (take_word(&text, ".")) {
        name->kind = WAL_BACKUP;
        if (!take_group(&text, &name->offset) || name->offset >= WAL_SEGMENT_MAX ||
            !take_word(&text, ".backup"))
            return false;
    } else {
        name->kind = WAL_SEGMENT;
    }
    return *text == '\0';
}

bool wal_name_parse(const char *text, WalName *ret_name, GError **error)
{
    WalName name = { 0 };

    if (!parse(text, &name)) {
        g_autofree char *shown = g_strescape(text, NULL);

        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "\"%.100s\" is not the name of a WAL segment, a timeline history or a backup "
                    "label",
                    shown);
        return false;
    }
    *ret_name = name;
    return true;
}

WalNameText wal_name_text(const WalName *name)
{
    WalNameText out;
    gsize size = sizeof out.text;

    switch (name->kind) {
    case WAL_HISTORY:
        (void)g_snprintf(out.text, size, "%08X.history", name->timeline);
        break;
    case WAL_BACKUP:
        (void)g_snprintf(out.text, size, "%08X%08X%08X.%08X.backup", name->timeline, name->high,
                         name->low, name->offset);
        break;
    case WAL_SEGMENT:
    case WAL_PARTIAL:
        (void)g_snprintf(out.text, size, "%08X%08X%08X%s", name->timeline, name->high, name->low,
                         name->kind == WAL_PARTIAL ? ".partial" : "");
        break;
    }
    return out;
}

static int compare(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

int wal_name_compare(const WalName *a, const WalName *b)
{
    int order = compare(a->timeline, b->timeline);

    if (order == 0)
        order = compare(a->kind != WAL_HISTORY, b->kind != WAL_HISTORY);
    if (order == 0)
        order = compare(a->high, b->high);
    if (order == 0)
        order = compare(a->low, b->low);
    if (order == 0)
        order = compare(a->kind, b->kind);
    return order ? order : compare(a->offset, b->offset);
}

static uint32_t segments_per_high(uint32_t segment_size)
{
    return (uint32_t)((UINT64_C(1) << 32) / segment_size);
}

WalName wal_name_of(uint32_t timeline, uint64_t lsn, uint32_t segment_size)
{
    g_assert(wal_segment_size_valid(segment_size));
    return (WalName){
        .kind = WAL_SEGMENT,
        .timeline = timeline,
        .high = (uint32_t)(lsn >> 32),
        .low = (uint32_t)lsn / segment_size,
    };
}

bool wal_name_lsn(const WalName *name, uint32_t segment_size, uint64_t *ret_lsn, GError **error)
{
    g_assert(wal_segment_size_valid(segment_size) && name->kind != WAL_HISTORY);
    if (name->low >= segments_per_high(segment_size) || name->offset >= segment_size) {
        g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                    "%s cannot come from a cluster with WAL segments of %u MiB",
                    wal_name_text(name).text, segment_size >> 20);
        return false;
    }
    *ret_lsn = ((uint64_t)name->high << 32) + (uint64_t)name->low * segment_size + name->offset;
    return true;
}
