/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walstart.h"

#include "op/walsegment.h"

#include <string.h>

typedef struct {
    const WalStartFrom *from;
    GHashTable *names; // of const char *, borrowed
} Held;

/* The file that a recovery needs there: where a timeline ends within a segment, the younger one's,
 * which has a copy of all before. */
static WalName needed(const WalStartFrom *from, uint64_t lsn)
{
    return wal_name_of(pg_history_timeline_at(from->history, lsn + from->segment_size - 1), lsn,
                       from->segment_size);
}

static bool is_held(const Held *held, uint64_t lsn)
{
    WalName name = needed(held->from, lsn);

    return g_hash_table_contains(held->names, wal_name_text(&name).text);
}

/* How far the object reaches on the way: a whole segment to its end, a part to its segment's begin,
 * from where on it is asked for again. 0: it is of no use there. */
static uint64_t reach(const WalStartFrom *from, const char *text)
{
    WalName name, on_way;
    uint64_t lsn, end;
    bool part = wal_part_parse(text, &name, &end);

    if ((!part && (!wal_name_parse(text, &name, NULL) || name.kind != WAL_SEGMENT)) ||
        !wal_name_lsn(&name, from->segment_size, &lsn, NULL))
        return 0;
    on_way = needed(from, lsn);
    if (wal_name_compare(&name, &on_way) != 0 &&
        !(part && name.timeline == pg_history_timeline_at(from->history, lsn)))
        return 0;
    return part ? lsn : lsn + from->segment_size;
}

WalStart wal_start_choose(const WalStartFrom *from)
{
    Held held = { from, g_hash_table_new(g_str_hash, g_str_equal) };
    uint64_t kept = wal_segment_start(from->kept, from->segment_size);
    WalStart start = { 0 };

    for (guint i = 0; i < from->objects->len; i++) {
        const char *name = g_array_index(from->objects, WalInfo, i).object.name;

        g_hash_table_add(held.names, (char *)name);
        start.held = MAX(start.held, reach(from, name));
    }
    start.lsn = start.held;
    if (kept != 0 && (start.held == 0 || kept < start.held))
        start.lsn = kept;
    if (start.lsn == 0)
        start.lsn = from->server;
    start.lsn = wal_segment_start(MAX(start.lsn, from->floor), from->segment_size);
    while (start.lsn < start.held && is_held(&held, start.lsn))
        start.lsn += from->segment_size;
    start.timeline = pg_history_timeline_at(from->history, start.lsn);
    g_hash_table_unref(held.names);
    return start;
}

GArray *wal_start_stale(const GArray *objects)
{
    GArray *stale = g_array_new(FALSE, FALSE, sizeof(WalObject));
    g_autofree char *whole = NULL; // the last whole segment before

    for (guint i = 0; i < objects->len; i++) {
        const WalObject *object = &g_array_index(objects, WalInfo, i).object;
        const WalObject *next =
            i + 1 < objects->len ? &g_array_index(objects, WalInfo, i + 1).object : NULL;
        WalName segment, of;
        uint64_t lsn;

        if (!wal_part_parse(object->name, &segment, &lsn)) {
            if (wal_name_parse(object->name, &segment, NULL) && segment.kind == WAL_SEGMENT) {
                g_free(whole);
                whole = g_strdup(object->name);
            }
            continue;
        }
        if (g_strcmp0(whole, wal_name_text(&segment).text) == 0 ||
            (next && wal_part_parse(next->name, &of, &lsn) && wal_name_compare(&of, &segment) == 0))
            g_array_append_val(stale, *object);
    }
    return stale;
}
