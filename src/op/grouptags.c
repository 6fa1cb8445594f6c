/* SPDX-License-Identifier: Apache-2.0 */
#include "op/grouptags.h"

#include "codec/rfc3339.h"
#include <string.h>

#define INTERVAL   "interval"
#define DIGITS     "0123456789"
#define DIGITS_MAX 15 /* a number of ms that is one of JSON everywhere, too */

char *group_time(int64_t ms)
{
    char text[RFC3339_MAX];

    (void)rfc3339_format((Timestamp){ ms / 1000, (uint32_t)(ms % 1000) * 1000000 }, text);
    return g_strdup(text);
}

void group_tags_add(GPtrArray *tags, const GroupTags *group)
{
    g_autofree char *instant = group->is_moment ? group_time(group->instant) : g_strdup(INTERVAL);

    g_ptr_array_add(tags, g_strconcat("instant=", instant, NULL));
    if (group->spread_ms >= 0)
        g_ptr_array_add(tags, g_strdup_printf("spread=%" G_GINT64_FORMAT "ms", group->spread_ms));
}

static bool read_instant(const char *text, GroupTags *group)
{
    Timestamp time;

    if (strcmp(text, INTERVAL) == 0)
        return true;
    if (!rfc3339_parse(text, strlen(text), &time, NULL) || time.sec < 0)
        return false;
    group->is_moment = true;
    group->instant = time.sec * 1000 + time.nsec / 1000000;
    return true;
}

/* -1: it is none. */
static int64_t read_spread(const char *text)
{
    size_t len = strspn(text, DIGITS);

    return len > 0 && len <= DIGITS_MAX && strcmp(text + len, "ms") == 0
               ? g_ascii_strtoll(text, NULL, 10)
               : -1;
}

bool group_tags_read(const Snapshot *snapshot, GroupTags *ret_group)
{
    const char *instant = snapshot_tag_value(snapshot, "instant");
    const char *spread = snapshot_tag_value(snapshot, "spread");
    GroupTags group = { .spread_ms = spread ? read_spread(spread) : -1 };

    if (!instant || !read_instant(instant, &group) || (group.is_moment && group.spread_ms < 0))
        return false;
    *ret_group = group;
    return true;
}

json_t *group_tags_describe(const Snapshot *snapshot)
{
    g_autofree char *instant = NULL;
    GroupTags group;
    json_t *facts;

    if (!group_tags_read(snapshot, &group))
        return NULL;
    instant = group.is_moment ? group_time(group.instant) : NULL;
    facts = json_pack("{s:s}", "held", instant ? "moment" : INTERVAL);
    if (instant)
        json_object_set_new(facts, "instant", json_string(instant));
    json_object_set_new(facts, "spread_ms",
                        group.spread_ms < 0 ? json_null()
                                            : json_integer((json_int_t)group.spread_ms));
    return facts;
}
