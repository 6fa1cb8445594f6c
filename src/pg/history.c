/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/history.h"
#include "base/error.h"
#include "pg/walname.h"
#include <string.h>

struct PgHistory {
    GArray *stretches; // of PgStretch
};

static void clear_stretch(void *stretch)
{
    g_free(((PgStretch *)stretch)->reason);
}

static PgHistory *history_new(void)
{
    PgHistory *history = g_new0(PgHistory, 1);

    history->stretches = g_array_new(false, true, sizeof(PgStretch));
    g_array_set_clear_func(history->stretches, clear_stretch);
    return history;
}

void pg_history_free(PgHistory *history)
{
    if (!history)
        return;
    g_array_unref(history->stretches);
    g_free(history);
}

static const PgStretch *last(const PgHistory *history)
{
    guint n = history->stretches->len;

    return n ? &g_array_index(history->stretches, PgStretch, n - 1) : NULL;
}

/* takes reason */
static void append(PgHistory *history, uint32_t timeline, uint64_t end, char *reason)
{
    const PgStretch *before = last(history);
    PgStretch stretch = { timeline, before ? before->end : 0, end, reason };

    g_array_append_val(history->stretches, stretch);
}

PgHistory *pg_history_first(void)
{
    PgHistory *history = history_new();

    append(history, 1, UINT64_MAX, NULL);
    return history;
}

static bool parse_timeline(const char *text, size_t len, uint32_t *ret_timeline)
{
    uint64_t value = 0;

    if (len == 0 || len > 10)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!g_ascii_isdigit(text[i]))
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *ret_timeline = (uint32_t)value;
    return value > 0 && value <= UINT32_MAX;
}

/*
 * A server that is told to follow timeline 2 and stops before 1 was left for it writes nevertheless
 * that it comes from 2 (writeTimeLineHistory is given the timeline of the target, seen with 15),
 * and reads its file from the newest line on: what begins behind the stop is not on the way.
 */
static void cut_back(PgHistory *history, uint64_t end, char *reason)
{
    PgStretch *stretch;

    while (last(history)->begin > end)
        g_array_set_size(history->stretches, history->stretches->len - 1);
    stretch = &g_array_index(history->stretches, PgStretch, history->stretches->len - 1);
    stretch->end = end;
    g_free(stretch->reason);
    stretch->reason = reason;
}

/* "1\t0/3000158\tno recovery target specified". newest: the timeline of the line before. */
static const char *add_line(PgHistory *history, uint32_t timeline, uint32_t *newest,
                            const char *line)
{
    static const char white[] = " \t\r\f\v";
    const char *number = line + strspn(line, white);
    size_t number_len = strcspn(number, white);
    const char *position = number + number_len + strspn(number + number_len, white);
    size_t position_len = strcspn(position, white);
    const char *reason = position + position_len + strspn(position + position_len, white);
    const PgStretch *before = last(history);
    g_autofree char *why = NULL;
    uint32_t parent;
    uint64_t end;

    if (*number == '\0' || *number == '#')
        return NULL;
    if (!parse_timeline(number, number_len, &parent) ||
        !lsn_parse_len(position, position_len, &end))
        return "no timeline with the position at which it was left";
    if (parent >= timeline || parent <= *newest)
        return "timelines must rise";
    *newest = parent;
    why = g_strchomp(g_strdup(reason));
    if (before && end < before->end)
        cut_back(history, end, g_steal_pointer(&why));
    else
        append(history, parent, end, g_steal_pointer(&why));
    return NULL;
}

PgHistory *pg_history_parse(uint32_t timeline, const char *text, size_t len, GError **error)
{
    g_autoptr(PgHistory) history = history_new();
    g_autofree char *copy = g_strndup(text, len);
    g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);
    const char *problem = memchr(text, '\0', len) ? "a zero byte" : NULL;
    uint32_t newest = 0;
    guint n = 0;

    while (!problem && lines[n])
        problem = add_line(history, timeline, &newest, lines[n++]);
    if (!problem && !last(history))
        problem = "it names no timeline";
    if (problem) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "history of timeline %u, line %u: %s",
                    timeline, n, problem);
        return NULL;
    }
    append(history, timeline, UINT64_MAX, NULL);
    return g_steal_pointer(&history);
}

const PgStretch *pg_history_stretches(const PgHistory *history, size_t *ret_n)
{
    *ret_n = history->stretches->len;
    return (const PgStretch *)(void *)history->stretches->data;
}

uint32_t pg_history_timeline_at(const PgHistory *history, uint64_t lsn)
{
    const PgStretch *stretch = (const PgStretch *)(void *)history->stretches->data;

    // the last one has no end
    while (lsn >= stretch->end && stretch != last(history))
        stretch++;
    return stretch->timeline;
}

const PgStretch *pg_history_find(const PgHistory *history, uint32_t timeline)
{
    size_t n;
    const PgStretch *stretches = pg_history_stretches(history, &n);

    for (size_t i = 0; i < n; i++)
        if (stretches[i].timeline == timeline)
            return &stretches[i];
    return NULL;
}

bool pg_history_agrees(const PgHistory *history, const PgHistory *its)
{
    const uint32_t timeline = last(its)->timeline;
    size_t n, n_its;
    const PgStretch *way = pg_history_stretches(history, &n);
    const PgStretch *own = pg_history_stretches(its, &n_its);

    if (!pg_history_find(history, timeline))
        return true;
    for (size_t i = 0; i < n_its && own[i].timeline != timeline; i++)
        if (i >= n || way[i].timeline != own[i].timeline || way[i].end != own[i].end)
            return false;
    return n_its <= n && way[n_its - 1].timeline == timeline;
}

bool pg_history_reachable(const PgHistory *history, uint32_t timeline, uint64_t lsn)
{
    const PgStretch *stretch = pg_history_find(history, timeline);

    return stretch && lsn <= stretch->end;
}
