/* SPDX-License-Identifier: Apache-2.0 */
#include "op/copywal.h"

#include "base/error.h"
#include "base/log.h"
#include "base/parallel.h"
#include "op/walbase.h"
#include "op/wallist.h"
#include "op/walsegment.h"
#include "plan/pitr.h"
#include "repo/walfloor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Each holds a segment four times, twice plain, twice sealed; so larger ones go one by one. */
#define CARRIERS   2u
#define LARGE_SIZE (UINT32_C(16) << 20)

typedef struct {
    OpenRepo *from, *to;
    const CopyWatch *watch;
    const Cancel *cancel;
    GArray *wanted;    /* of WalObject */
    GHashTable *there; /* set of keys */
    pthread_mutex_t mutex;
    CopyResult *result; /* under the mutex */
} Carrying;

/* ---- what is wanted ---- */

/* Of PitrBase: those of the cluster. One that does not say what it needs needs everything. */
static GArray *bases_of(const GPtrArray *snapshots, uint64_t system_id)
{
    GArray *bases = g_array_new(FALSE, TRUE, sizeof(PitrBase));

    for (guint i = 0; i < snapshots->len; i++) {
        PitrBase base = { .start = 0, .stop = UINT64_MAX };
        WalBase of;
        const WalBaseKind kind = wal_base_of(g_ptr_array_index(snapshots, i), &of);

        if (kind == WAL_BASE_NONE || of.system_id != system_id)
            continue;
        if (kind == WAL_BASE_GOOD)
            base = (PitrBase){ .timeline = of.timeline, .start = of.start, .stop = of.stop };
        g_array_append_val(bases, base);
    }
    return bases;
}

static uint32_t segment_size_of(const WalCluster *cluster)
{
    uint32_t size = 0;

    for (guint i = 0; i < cluster->timelines->len && size == 0; i++)
        size = ((const WalTimeline *)g_ptr_array_index(cluster->timelines, i))->segment_size;
    return size;
}

/* Where it begins: of a segment, and of what belongs to one. False: of no place, or nobody knows.
 */
static bool place_of(const WalObject *object, uint32_t size, uint64_t *ret_lsn)
{
    uint64_t lsn;
    WalName name;

    if (size == 0 ||
        (!wal_part_parse(object->name, &name, &lsn) &&
         !wal_name_parse(object->name, &name, NULL)) ||
        name.kind == WAL_HISTORY || !wal_name_lsn(&name, size, &lsn, NULL))
        return false;
    *ret_lsn = wal_segment_start(lsn, size);
    return true;
}

static bool lists(const WalTimeline *timeline, const char *name)
{
    for (guint i = 0; i < timeline->objects->len; i++)
        if (strcmp(g_array_index(timeline->objects, WalInfo, i).object.name, name) == 0)
            return true;
    return false;
}

/* The next part, and the whole segment, hold all that this one does. Parts are in order. */
static bool is_superseded(const WalTimeline *timeline, const WalObject *object)
{
    const guint n = timeline->parts->len;
    WalName segment, other;
    uint64_t lsn;

    if (!wal_part_parse(object->name, &segment, &lsn))
        return false;
    if (lists(timeline, wal_name_text(&segment).text))
        return true;
    for (guint i = 0; i + 1 < n; i++)
        if (strcmp(g_array_index(timeline->parts, WalObject, i).name, object->name) == 0)
            return wal_part_parse(g_array_index(timeline->parts, WalObject, i + 1).name, &other,
                                  &lsn) &&
                   wal_name_compare(&segment, &other) == 0;
    return false;
}

static void choose(Carrying *carrying, const WalTimeline *timeline, uint32_t size,
                   const GArray *bases, uint64_t lowest)
{
    for (guint i = 0; i < timeline->objects->len; i++) {
        const WalObject *object = &g_array_index(timeline->objects, WalInfo, i).object;
        uint64_t lsn;

        if ((place_of(object, size, &lsn) &&
             !pitr_keeps((const PitrBase *)(const void *)bases->data, bases->len, lowest, lsn,
                         lsn + size, 0, INT64_MAX)) ||
            is_superseded(timeline, object))
            continue;
        if (g_hash_table_contains(carrying->there, wal_object_key(object).text))
            carrying->result->wal_there++;
        else
            g_array_append_val(carrying->wanted, *object);
    }
}

static bool note_there(Carrying *carrying, uint64_t system_id, GError **error)
{
    g_autoptr(GArray) objects = NULL;

    if (!wal_object_list(carrying->to->repo, system_id, 0, &objects, NULL, error))
        return false;
    for (guint i = 0; i < objects->len; i++)
        g_hash_table_add(carrying->there,
                         g_strdup(wal_object_key(&g_array_index(objects, WalInfo, i).object).text));
    return true;
}

/* ---- carrying ---- */

/* It concerns this object alone. */
static bool is_its_own(const GError *problem)
{
    return g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT) ||
           g_error_matches(problem, BS_ERROR, BS_ERROR_MISMATCH) ||
           g_error_matches(problem, BS_ERROR, BS_ERROR_UNSUPPORTED);
}

/* False: nothing more can be carried. */
static bool settle(Carrying *carrying, const WalObject *object, GBytes *content, bool was_there,
                   const GError *problem)
{
    uint64_t end;
    WalName segment;
    // a receiver has stored more of it meanwhile, which the next copy carries
    const bool gone = g_error_matches(problem, BS_ERROR, BS_ERROR_NOT_FOUND) &&
                      wal_part_parse(object->name, &segment, &end);
    const bool ok = !problem || is_its_own(problem) || gone;

    pthread_mutex_lock(&carrying->mutex);
    if (!problem && was_there) {
        carrying->result->wal_there++;
    } else if (!problem) {
        carrying->result->wal++;
        carrying->result->wal_bytes += g_bytes_get_size(content);
    } else if (ok && !gone) {
        carrying->result->held_back++;
        log_warn("WAL cannot be copied", "object", wal_object_key(object).text, "error",
                 problem->message, NULL);
    }
    pthread_mutex_unlock(&carrying->mutex);
    if (content && carrying->watch->bytes)
        atomic_fetch_add(carrying->watch->bytes, g_bytes_get_size(content));
    return ok;
}

/* What is read was proven, and what is written is opened again: repo/walobject.h. */
static bool carry(size_t i, void *user, GError **error)
{
    Carrying *carrying = user;
    const WalObject *object = &g_array_index(carrying->wanted, WalObject, i);
    g_autoptr(GBytes) content = NULL;
    g_autoptr(GError) problem = NULL;
    bool was_there = false;

    if (cancel_check(carrying->cancel, &problem) &&
        wal_object_get(carrying->from->repo, object, &content, &problem))
        (void)wal_object_put(carrying->to->repo, object, g_bytes_get_data(content, NULL),
                             g_bytes_get_size(content), &was_there, NULL, &problem);
    if (settle(carrying, object, content, was_there, problem))
        return true;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

static bool carry_all(Carrying *carrying, uint32_t size, GError **error)
{
    return parallel_try(size <= LARGE_SIZE ? CARRIERS : 1, carrying->wanted->len, carry, carrying,
                        error);
}

/* ---- clusters ---- */

/* Before this position each base has only what it needs; here or there. */
static bool load_floor(Carrying *carrying, uint64_t system_id, uint64_t begin, uint64_t *ret_lowest,
                       GError **error)
{
    uint64_t here, there;

    if (!wal_floor_load(carrying->from->repo, system_id, &here, error) ||
        !wal_floor_load(carrying->to->repo, system_id, &there, error) ||
        // known there before anything could look like a gap
        (here > begin && !wal_floor_raise(carrying->to->repo, system_id, here, error)))
        return false;
    *ret_lowest = MAX(begin, MAX(here, there));
    return true;
}

static bool copy_cluster(Carrying *carrying, const WalCluster *cluster, const GPtrArray *snapshots,
                         GError **error)
{
    g_autoptr(GArray) bases = bases_of(snapshots, cluster->system_id);
    const PitrCluster pitr = { .bases = (PitrBase *)(void *)bases->data, .n_bases = bases->len };
    const uint32_t size = segment_size_of(cluster);
    uint64_t lowest;

    if (bases->len == 0)
        return true;
    if (!load_floor(carrying, cluster->system_id, pitr_floor(&pitr, false), &lowest, error) ||
        !note_there(carrying, cluster->system_id, error))
        return false;
    g_array_set_size(carrying->wanted, 0);
    for (guint i = 0; i < cluster->timelines->len; i++)
        choose(carrying, g_ptr_array_index(cluster->timelines, i), size, bases, lowest);
    return carry_all(carrying, size, error);
}

static bool has_base(const GPtrArray *snapshots)
{
    WalBase base;

    for (guint i = 0; i < snapshots->len; i++)
        if (wal_base_of(g_ptr_array_index(snapshots, i), &base) != WAL_BASE_NONE)
            return true;
    return false;
}

bool copy_wal(OpenRepo *from, OpenRepo *to, const GPtrArray *bases, const CopyWatch *watch,
              const Cancel *cancel, CopyResult *result, GError **error)
{
    g_autoptr(GHashTable) there = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GArray) wanted = g_array_new(FALSE, FALSE, sizeof(WalObject));
    Carrying carrying = { .from = from,
                          .to = to,
                          .watch = watch,
                          .cancel = cancel,
                          .wanted = wanted,
                          .there = there,
                          .result = result };
    g_autoptr(GPtrArray) clusters = NULL;
    bool ok = true;

    if (!has_base(bases))
        return true;
    if (!op_wal_list(from, cancel, &clusters, NULL, error))
        return false;
    pthread_mutex_init(&carrying.mutex, NULL);
    for (guint i = 0; ok && i < clusters->len; i++)
        ok = copy_cluster(&carrying, g_ptr_array_index(clusters, i), bases, error);
    pthread_mutex_destroy(&carrying.mutex);
    return ok;
}
