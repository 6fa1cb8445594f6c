/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walorigin.h"

#include "base/error.h"
#include "op/walsegment.h"

/* What is not there, or not what was stored, proves nothing; an outage is none of it. */
static bool proves_nothing(const GError *failure)
{
    return g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_MISMATCH) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_UNSUPPORTED);
}

/* True with *ret unset: nothing that could be compared. Takes failure. */
static bool unless_unknown(GError *failure, GError **error)
{
    if (proves_nothing(failure)) {
        g_error_free(failure);
        return true;
    }
    g_propagate_error(error, failure);
    return false;
}

/* ---- histories ---- */

/* *ret_history stays NULL when there is none to compare with. */
static bool held_history(Repo *repo, uint64_t system_id, uint32_t timeline, PgHistory **ret_history,
                         GError **error)
{
    WalName name = { .kind = WAL_HISTORY, .timeline = timeline };
    g_autoptr(GBytes) content = NULL;
    GError *failure = NULL;
    WalObject object;

    if (!wal_object_init(&object, system_id, wal_name_text(&name).text, error))
        return false;
    if (!wal_object_get(repo, &object, &content, &failure))
        return unless_unknown(failure, error);
    *ret_history = pg_history_parse(timeline, g_bytes_get_data(content, NULL),
                                    g_bytes_get_size(content), &failure);
    return *ret_history || unless_unknown(failure, error);
}

/* "timeline 1, left at 0/5000028" */
static char *way_text(const PgHistory *history, uint32_t timeline)
{
    GString *text = g_string_new(NULL);
    size_t n;
    const PgStretch *stretches = pg_history_stretches(history, &n);

    for (size_t i = 0; i < n && stretches[i].timeline != timeline; i++)
        g_string_append_printf(text, "%stimeline %u, left at %s", text->len ? ", and " : "",
                               stretches[i].timeline, lsn_text(stretches[i].end).text);
    return g_string_free(text, FALSE);
}

bool wal_origin_agrees(Repo *repo, uint64_t system_id, const PgHistory *history, GError **error)
{
    size_t n;
    const PgStretch *stretches = pg_history_stretches(history, &n);
    const uint32_t own = stretches[n - 1].timeline;

    for (size_t i = 1; i + 1 < n; i++) {
        const uint32_t timeline = stretches[i].timeline;
        g_autoptr(PgHistory) held = NULL;
        g_autofree char *claimed = NULL, *there = NULL;

        if (!held_history(repo, system_id, timeline, &held, error))
            return false;
        if (!held || pg_history_agrees(history, held))
            continue;
        claimed = way_text(history, timeline);
        there = way_text(held, timeline);
        g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                    "the history of timeline %u says that timeline %u comes from %s; the history "
                    "of timeline %u that is held says from %s: two servers have made a timeline %u",
                    own, timeline, claimed, timeline, there, timeline);
        return false;
    }
    return true;
}

/* ---- WAL ---- */

/* The whole segment, or what there is of it: by `wal receive`, or by the server that was promoted.
 * *ret_content stays NULL when there is nothing to compare with. */
static bool held_begin(Repo *repo, uint64_t system_id, const WalName *name, GBytes **ret_content,
                       GError **error)
{
    g_autofree char *partial = g_strconcat(wal_name_text(name).text, ".partial", NULL);
    g_auto(WalSegment) held = { 0 };
    GError *failure = NULL;
    WalObject object;

    if (wal_segment_get(repo, system_id, name, &held, &failure)) {
        *ret_content = g_steal_pointer(&held.content);
        return true;
    }
    if (!unless_unknown(failure, error) || !wal_object_init(&object, system_id, partial, error))
        return false;
    failure = NULL;
    return wal_object_get(repo, &object, ret_content, &failure) || unless_unknown(failure, error);
}

/* The first place where they differ; len: they do not. */
static size_t differ_at(GBytes *older, GBytes *younger, size_t len)
{
    size_t older_len, younger_len, i;
    const uint8_t *left = g_bytes_get_data(older, &older_len);
    const uint8_t *right = g_bytes_get_data(younger, &younger_len);
    const size_t both = MIN(len, MIN(older_len, younger_len));

    for (i = 0; i < both && left[i] == right[i]; i++)
        ;
    return i < both ? i : len;
}

static bool joins(Repo *repo, uint64_t system_id, uint32_t size, const PgStretch *older,
                  const PgStretch *younger, GError **error)
{
    const uint64_t begin = wal_segment_start(younger->begin, size);
    const size_t len = younger->begin - begin;
    WalName before = wal_name_of(older->timeline, begin, size);
    WalName after = wal_name_of(younger->timeline, begin, size);
    g_autoptr(GBytes) left = NULL, right = NULL;
    size_t at;

    // where a segment begins nothing is in both
    if (len == 0)
        return true;
    if (!held_begin(repo, system_id, &after, &right, error) ||
        (right && !held_begin(repo, system_id, &before, &left, error)))
        return false;
    at = left && right ? differ_at(left, right, len) : len;
    if (at == len)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "timeline %u does not come from the timeline %u that is held, which it claims to "
                "have left at %s: %s and what is held of %s differ at %s, before that place; they "
                "are of two servers",
                younger->timeline, older->timeline, lsn_text(younger->begin).text,
                wal_name_text(&after).text, wal_name_text(&before).text, lsn_text(begin + at).text);
    return false;
}

bool wal_origin_joins(Repo *repo, uint64_t system_id, uint32_t segment_size,
                      const PgHistory *history, uint64_t from, GError **error)
{
    size_t n;
    const PgStretch *stretches = pg_history_stretches(history, &n);

    for (size_t i = 1; i < n; i++)
        if (stretches[i].begin >= from &&
            !joins(repo, system_id, segment_size, &stretches[i - 1], &stretches[i], error))
            return false;
    return true;
}
