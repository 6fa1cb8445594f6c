/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumesink.h"

#include "base/error.h"
#include "base/fs.h"
#include "codec/hash.h"
#include "source/volumelayout.h"
#include "source/volumeread.h"
#include "source/volumetarget.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

typedef struct {
    Sink base;
    VolumeTarget target;
    VolumePlace place;
    VolumeLayout layout;
    uint8_t *head; /* what comes there in the end, of head_len bytes */
    size_t head_len;
    _Atomic uint64_t same, written, segments;
    pthread_mutex_t mutex; /* marked, head, zeros */
    bool marked;
    Id zeros; /* of so many of them as were asked for last */
    size_t zeros_len;
    VolumeRestored *restored;
} VolumeSink;

/* A segment; a directory has none. */
typedef struct {
    bool is_segment;
    uint64_t start, len;
} Handle;

/* ---- the head ---- */

/* Durable before the first byte of content is written. */
static bool mark(VolumeSink *sink, GError **error)
{
    g_autofree uint8_t *head = g_malloc(VOLUME_HEAD_LEN);
    const char *path = sink->place.device.path;
    int fd = sink->place.device.fd;
    bool ok = true;

    pthread_mutex_lock(&sink->mutex);
    if (!sink->marked) {
        volume_mark_make(head, sink->head_len, &sink->target.snapshot);
        ok = fs_pwrite_all(fd, head, sink->head_len, 0, path, error);
        if (ok && fdatasync(fd) < 0) {
            bs_error_errno(error, errno, "%s: sync", path);
            ok = false;
        }
        sink->marked = ok;
    }
    pthread_mutex_unlock(&sink->mutex);
    return ok;
}

/* Takes what belongs to the head; returns how many bytes that are. */
static size_t keep_head(VolumeSink *sink, uint64_t offset, const uint8_t *data, size_t len)
{
    size_t n = offset < sink->head_len ? (size_t)MIN(sink->head_len - offset, len) : 0;

    pthread_mutex_lock(&sink->mutex);
    if (n > 0)
        memcpy(sink->head + offset, data, n);
    pthread_mutex_unlock(&sink->mutex);
    return n;
}

/* ---- content ---- */

/* A hole where there can be one. */
static bool write_content(VolumeSink *sink, uint64_t offset, const uint8_t *data, size_t len,
                          GError **error)
{
    int fd = sink->place.device.fd;

    if (volume_is_zero(data, len) &&
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len) == 0)
        return true;
    return fs_pwrite_all(fd, data, len, offset, sink->place.device.path, error);
}

static bool sink_write_volume(Sink *base, void *handle, uint64_t offset, const void *data,
                              size_t len, GError **error)
{
    VolumeSink *sink = (VolumeSink *)base;
    const Handle *segment = handle;
    const uint8_t *bytes = data;
    uint64_t at = segment->start + offset;
    size_t kept;

    if (!segment->is_segment || offset > segment->len || len > segment->len - offset) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "a segment is longer than the manifest says");
        return false;
    }
    atomic_fetch_add(&sink->written, len);
    if (sink->target.dry_run || len == 0)
        return true;
    if (!mark(sink, error))
        return false;
    kept = keep_head(sink, at, bytes, len);
    return kept == len || write_content(sink, at + kept, bytes + kept, len - kept, error);
}

/* Reads what is there; of the head what was there before the mark. */
static bool read_there(VolumeSink *sink, uint64_t at, uint8_t *buf, size_t len, size_t *ret_got,
                       GError **error)
{
    size_t kept = at < sink->head_len ? (size_t)MIN(sink->head_len - at, len) : 0;

    *ret_got = 0;
    if (kept > 0)
        memcpy(buf, sink->place.head + at, kept);
    if (kept < len && !fs_pread_full(sink->place.device.fd, buf + kept, len - kept, at + kept,
                                     ret_got, sink->place.device.path, error))
        return false;
    *ret_got += kept;
    return true;
}

static bool is_id_of_zeros(VolumeSink *sink, size_t len, const Id *id)
{
    bool same;

    pthread_mutex_lock(&sink->mutex);
    if (sink->zeros_len != len) {
        g_autofree uint8_t *zeros = g_malloc0(len);

        hash_bytes(zeros, len, &sink->zeros);
        sink->zeros_len = len;
    }
    same = id_equal(id, &sink->zeros);
    pthread_mutex_unlock(&sink->mutex);
    return same;
}

/* Zeros where zeros shall be, and nothing need be read: most of a terabyte that is not used. */
static bool is_hole(VolumeSink *sink, uint64_t at, size_t len, const Id *id)
{
    const VolumePlace *place = &sink->place;
    off_t data;

    if (place->device.block || at < sink->head_len || at + len > place->device.size ||
        !is_id_of_zeros(sink, len, id))
        return false;
    data = lseek(place->device.fd, (off_t)at, SEEK_DATA);
    return data < 0 ? errno == ENXIO : (uint64_t)data >= at + len;
}

static bool has_volume(Sink *base, void *handle, uint64_t offset, size_t len, const Id *id,
                       bool *ret_has, GError **error)
{
    VolumeSink *sink = (VolumeSink *)base;
    const Handle *segment = handle;
    uint64_t at = segment->start + offset;
    g_autofree uint8_t *buf = NULL;
    size_t got;
    Id found;

    *ret_has = false;
    if (!segment->is_segment || offset > segment->len || len > segment->len - offset)
        return true;                 // writing it tells
    if (sink->place.device.fd < 0) { // a dry run, and there is nothing: zeros will be a hole
        atomic_fetch_add(is_id_of_zeros(sink, len, id) ? &sink->same : &sink->written, len);
        *ret_has = true;
        return true;
    }
    if (is_hole(sink, at, len, id)) {
        *ret_has = true;
        atomic_fetch_add(&sink->same, len);
        return true;
    }
    buf = g_malloc(len);
    // a disk that cannot read a block any more may take a new one
    if (!read_there(sink, at, buf, len, &got, NULL) || got < len)
        return true;
    hash_bytes(buf, len, &found);
    *ret_has = id_equal(&found, id);
    if (*ret_has) {
        (void)keep_head(sink, at, buf, len);
        atomic_fetch_add(&sink->same, len);
    } else if (sink->target.dry_run) {
        atomic_fetch_add(&sink->written, len);
        *ret_has = true;
    }
    (void)error;
    return true;
}

/* ---- entries ---- */

static bool begin_segment(const VolumeSink *sink, const Entry *entry, Handle *handle,
                          GError **error)
{
    uint64_t n;

    if (!S_ISREG(entry->node->mode) || !volume_layout_number(entry->node->name, &n) ||
        n >= sink->layout.n_segments || entry->node->size != volume_layout_len(&sink->layout, n)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "%s is no segment of this volume, or not as long as it has to be", entry->path);
        return false;
    }
    handle->is_segment = true;
    handle->start = n * sink->layout.segment;
    handle->len = entry->node->size;
    return true;
}

static bool begin_volume(Sink *base, const Entry *entry, void **ret_handle, GError **error)
{
    VolumeSink *sink = (VolumeSink *)base;
    g_autofree Handle *handle = g_new0(Handle, 1);

    if (!S_ISDIR(entry->node->mode) && !begin_segment(sink, entry, handle, error))
        return false;
    *ret_handle = g_steal_pointer(&handle);
    return true;
}

static bool end_volume(Sink *base, void *handle, const Node *node, GError **error)
{
    (void)node, (void)error;
    if (((Handle *)handle)->is_segment)
        atomic_fetch_add(&((VolumeSink *)base)->segments, 1);
    g_free(handle);
    return true;
}

static void abandon_volume(Sink *base, void *handle)
{
    (void)base;
    g_free(handle);
}

/* ---- the end ---- */

static bool sync_it(const VolumeSink *sink, GError **error)
{
    if (fsync(sink->place.device.fd) == 0)
        return true;
    bs_error_errno(error, errno, "%s: sync", sink->place.device.path);
    return false;
}

static bool head_differs(const VolumeSink *sink)
{
    return sink->marked || memcmp(sink->head, sink->place.head, sink->head_len) != 0;
}

static bool is_complete(VolumeSink *sink, GError **error)
{
    uint64_t segments = atomic_load(&sink->segments);
    uint64_t bytes = atomic_load(&sink->same) + atomic_load(&sink->written);

    if (segments == sink->layout.n_segments && bytes == sink->layout.size)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "the snapshot holds %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                " segments, %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes",
                segments, sink->layout.n_segments, bytes, sink->layout.size);
    return false;
}

/* The head last, when all the rest is on the disk. */
static bool finish_volume(Sink *base, GError **error)
{
    VolumeSink *sink = (VolumeSink *)base;
    const VolumePlace *place = &sink->place;

    if (!is_complete(sink, error))
        return false;
    if (!sink->target.dry_run && head_differs(sink) &&
        (!sync_it(sink, error) || !fs_pwrite_all(place->device.fd, sink->head, sink->head_len, 0,
                                                 place->device.path, error)))
        return false;
    if (!sink->target.dry_run && !sync_it(sink, error))
        return false;
    sink->restored->same = atomic_load(&sink->same);
    sink->restored->written = atomic_load(&sink->written);
    return true;
}

static void free_volume(Sink *base)
{
    VolumeSink *sink = (VolumeSink *)base;

    volume_place_close(&sink->place);
    pthread_mutex_destroy(&sink->mutex);
    g_free(sink->head);
    g_free(sink);
}

static const SinkOps volume_sink_ops = {
    .name = "volume",
    .caps = SINK_MANY_OPEN | SINK_ANY_ORDER,
    .begin = begin_volume,
    .write = sink_write_volume,
    .has = has_volume,
    .end = end_volume,
    .abandon = abandon_volume,
    .finish = finish_volume,
    .free = free_volume,
};

Sink *volume_sink_new(const VolumeTarget *target, VolumeRestored *ret_restored, GError **error)
{
    VolumePlace place = { .device = { .fd = -1 } };
    VolumeSink *sink;

    if (!volume_place_open(target, &place, error))
        return NULL;
    sink = g_new0(VolumeSink, 1);
    sink->base.ops = &volume_sink_ops;
    sink->target = *target;
    sink->place = place;
    sink->layout = volume_layout_of(target->size, target->segment);
    sink->head_len = (size_t)MIN(target->size, VOLUME_HEAD_LEN);
    sink->head = g_malloc0(VOLUME_HEAD_LEN);
    pthread_mutex_init(&sink->mutex, NULL);
    sink->restored = ret_restored;
    *ret_restored = (VolumeRestored){
        .beyond = place.device.fd >= 0 ? place.device.size - target->size : 0,
        .created = place.created,
        .continued = place.unfinished,
    };
    return &sink->base;
}

/* ---- reading back ---- */

bool volume_verify(const char *target, uint64_t size, const VolumeId *id, const Cancel *cancel,
                   GError **error)
{
    g_auto(VolumeDevice) device = { .fd = -1 };
    g_autoptr(VolumeRead) read = NULL;
    g_autoptr(VolumeSum) sum = volume_sum_new(id->blocks);
    const uint8_t *data;
    uint64_t len;
    VolumeId found;

    if (!volume_device_open(target, O_RDONLY, &device, error))
        return false;
    (void)posix_fadvise(device.fd, 0, 0, POSIX_FADV_DONTNEED); // from the disk, if that can be had
    read = volume_read_new(device.fd, size, target);
    do {
        if (!cancel_check(cancel, error) ||
            !volume_read_next(read, VOLUME_STEP * 64, &data, &len, error))
            return false;
        volume_sum_add(sum, data, len);
    } while (len > 0);
    volume_sum_end(sum, &found);
    if (id_equal(&found.id, &id->id))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "%s was restored, but what was read back is not what was saved", target);
    return false;
}
