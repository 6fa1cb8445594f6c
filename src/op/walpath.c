/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walpath.h"

#include "base/error.h"
#include "op/walsegment.h"

/* ---- what is held of one cluster ---- */

struct WalHeld {
    Repo *repo;
    uint64_t system_id;
    GHashTable *names; // of char *
    uint32_t latest;
};

WalHeld *wal_held_list(Repo *repo, uint64_t system_id, GError **error)
{
    g_autoptr(GArray) objects = NULL;
    WalHeld *held;

    if (!wal_object_list(repo, system_id, 0, &objects, NULL, error))
        return NULL;
    held = g_new0(WalHeld, 1);
    held->repo = repo;
    held->system_id = system_id;
    held->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < objects->len; i++) {
        const WalObject *object = &g_array_index(objects, WalInfo, i).object;

        held->latest = MAX(held->latest, wal_object_timeline(object));
        g_hash_table_add(held->names, g_strdup(object->name));
    }
    return held;
}

void wal_held_free(WalHeld *held)
{
    if (!held)
        return;
    g_hash_table_unref(held->names);
    g_free(held);
}

uint64_t wal_held_system_id(const WalHeld *held)
{
    return held->system_id;
}

bool wal_held_has(const WalHeld *held, const char *name)
{
    return g_hash_table_contains(held->names, name);
}

uint32_t wal_held_latest(const WalHeld *held)
{
    return held->latest;
}

/* The error of a file that could not be had. Takes *failure. */
static bool not_held(const WalHeld *held, const char *name, GError **failure, GError **error)
{
    if (g_error_matches(*failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        g_set_error(error, BS_ERROR, BS_ERROR_WAL_GAP,
                    "%s of cluster %" G_GUINT64_FORMAT " is not held", name, held->system_id);
    else
        g_propagate_error(error, g_steal_pointer(failure));
    return false;
}

bool wal_held_get(const WalHeld *held, const char *name, GBytes **ret_content, GError **error)
{
    g_autoptr(GError) failure = NULL;
    WalObject object;

    if (!wal_object_init(&object, held->system_id, name, error))
        return false;
    if (wal_object_get(held->repo, &object, ret_content, &failure))
        return true;
    return not_held(held, name, &failure, error);
}

PgHistory *wal_held_history(const WalHeld *held, uint32_t timeline, GError **error)
{
    WalName name = { .kind = WAL_HISTORY, .timeline = timeline };
    WalNameText text = wal_name_text(&name);
    g_autoptr(GBytes) content = NULL;

    if (timeline == 1)
        return pg_history_first();
    if (!wal_held_get(held, text.text, &content, error)) {
        g_prefix_error(error, "timeline %u: ", timeline);
        return NULL;
    }
    return pg_history_parse(timeline, g_bytes_get_data(content, NULL), g_bytes_get_size(content),
                            error);
}

/* ---- the way ---- */

struct WalPath {
    const WalHeld *held;
    PgHistory *history;
    uint32_t timeline, segment_size;
    GHashTable *added; // of char * -> Added: held elsewhere
    uint64_t last; // what is held on the way ends here, whatever is missing before; 0: nothing is
};

typedef struct {
    WalPathGet get;
    void *user;
    uint64_t end; // LSN: where it ends; UINT64_MAX: it is whole
} Added;

/* Where what is held of a segment ends; 0: nothing is. */
static uint64_t held_end(const WalPath *path, const WalName *name)
{
    WalNameText text = wal_name_text(name);
    const Added *added;

    if (wal_held_has(path->held, text.text))
        return UINT64_MAX;
    added = g_hash_table_lookup(path->added, text.text);
    return added ? added->end : 0;
}

/*
 * PostgreSQL tries the timelines of the way for a segment, the youngest first, those that had begun
 * by its end and were not left before its begin. The first one that is held is what it replays.
 */
void wal_path_segment(const WalPath *path, uint64_t lsn, WalPathSegment *ret_segment)
{
    const uint64_t begin = wal_segment_start(lsn, path->segment_size);
    const uint64_t end = begin + path->segment_size;
    size_t n;
    const PgStretch *stretches = pg_history_stretches(path->history, &n);
    WalPathSegment youngest = { .begin = begin, .end = end };

    for (size_t i = n; i-- > 0;) {
        WalPathSegment candidate = { .begin = begin };

        if (stretches[i].begin >= end || stretches[i].end <= begin)
            continue;
        candidate.name = wal_name_of(stretches[i].timeline, begin, path->segment_size);
        candidate.end = MIN(MIN(end, stretches[i].end), held_end(path, &candidate.name));
        candidate.held = lsn < candidate.end;
        if (youngest.name.timeline == 0)
            youngest.name = candidate.name;
        if (candidate.held) {
            *ret_segment = candidate;
            return;
        }
    }
    *ret_segment = youngest;
}

/* Whether a file is the one that serves the byte at lsn. */
static void count_if_serves(WalPath *path, const WalName *name, uint64_t lsn)
{
    WalPathSegment segment;

    wal_path_segment(path, lsn, &segment);
    if (segment.held && wal_name_compare(&segment.name, name) == 0)
        path->last = MAX(path->last, segment.end);
}

static void find_last(WalPath *path, const char *text)
{
    WalName name;
    uint64_t lsn;

    if (!wal_name_parse(text, &name, NULL) || name.kind != WAL_SEGMENT ||
        !wal_name_lsn(&name, path->segment_size, &lsn, NULL))
        return;
    count_if_serves(path, &name, lsn);
    count_if_serves(path, &name, lsn + path->segment_size - 1);
}

WalPath *wal_path_new(const WalHeld *held, uint32_t timeline, uint32_t segment_size, GError **error)
{
    g_autoptr(PgHistory) history = wal_held_history(held, timeline, error);
    WalPath *path;
    GHashTableIter iter;
    void *name;

    if (!history)
        return NULL;
    g_assert(wal_segment_size_valid(segment_size));
    path = g_new0(WalPath, 1);
    path->held = held;
    path->history = g_steal_pointer(&history);
    path->added = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    path->timeline = timeline;
    path->segment_size = segment_size;
    g_hash_table_iter_init(&iter, held->names);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        find_last(path, name);
    return path;
}

static void add(WalPath *path, const char *name, const Added *added)
{
    g_hash_table_insert(path->added, g_strdup(name), g_memdup2(added, sizeof *added));
    find_last(path, name);
}

void wal_path_add(WalPath *path, const char *name, WalPathGet get, void *user)
{
    Added added = { get, user, UINT64_MAX };

    // a part in the archive gives way to a file that has more (op/walget.h)
    add(path, name, &added);
}

static bool get_part(const char *name, void *user, GBytes **ret_content, GError **error)
{
    const WalHeld *held = user;
    g_auto(WalSegment) segment = { 0 };
    g_autoptr(GError) failure = NULL;
    WalName parsed;

    if (!wal_name_parse(name, &parsed, error))
        return false;
    if (wal_segment_get(held->repo, held->system_id, &parsed, &segment, &failure)) {
        *ret_content = g_steal_pointer(&segment.content);
        return true;
    }
    return not_held(held, name, &failure, error);
}

void wal_path_add_parts(WalPath *path)
{
    GHashTableIter iter;
    void *name;

    g_hash_table_iter_init(&iter, path->held->names);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        Added added = { get_part, (void *)path->held, 0 };
        const Added *before;
        WalNameText text;
        WalName segment;

        if (!wal_part_parse(name, &segment, &added.end))
            continue;
        text = wal_name_text(&segment);
        before = g_hash_table_lookup(path->added, text.text);
        if (!before || before->end < added.end)
            add(path, text.text, &added);
    }
}

bool wal_path_get(const WalPath *path, const char *name, GBytes **ret_content, GError **error)
{
    const Added *added = g_hash_table_lookup(path->added, name);

    // a recovery asks the archive first, and stops when that fails
    if (added && !wal_held_has(path->held, name))
        return added->get(name, added->user, ret_content, error);
    return wal_held_get(path->held, name, ret_content, error);
}

void wal_path_free(WalPath *path)
{
    if (!path)
        return;
    pg_history_free(path->history);
    g_hash_table_unref(path->added);
    g_free(path);
}

const PgHistory *wal_path_history(const WalPath *path)
{
    return path->history;
}

uint32_t wal_path_timeline(const WalPath *path)
{
    return path->timeline;
}

uint32_t wal_path_segment_size(const WalPath *path)
{
    return path->segment_size;
}

uint64_t wal_path_system_id(const WalPath *path)
{
    return path->held->system_id;
}

bool wal_path_passes(const WalPath *path, uint32_t timeline, uint64_t lsn, GError **error)
{
    const PgStretch *stretch = pg_history_find(path->history, timeline);

    if (stretch && lsn <= stretch->end)
        return true;
    if (stretch)
        g_set_error(error, BS_ERROR, BS_ERROR_WAL_GAP,
                    "the way to timeline %u leaves timeline %u at %s, before %s", path->timeline,
                    timeline, lsn_text(stretch->end).text, lsn_text(lsn).text);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_WAL_GAP,
                    "the way to timeline %u does not pass timeline %u", path->timeline, timeline);
    return false;
}

void wal_path_end(const WalPath *path, uint64_t lsn, WalPathEnd *ret_end)
{
    WalPathSegment segment;

    for (wal_path_segment(path, lsn, &segment); segment.held; wal_path_segment(path, lsn, &segment))
        lsn = segment.end;
    *ret_end = (WalPathEnd){ lsn, segment.name, path->last > lsn };
}
