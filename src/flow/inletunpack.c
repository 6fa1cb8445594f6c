/* SPDX-License-Identifier: Apache-2.0 */
/* gzip and zstd as they come in. What they are is not trusted: memory is bounded by the window that
 * the decoders accept (zstd: 128 MiB), what comes out by the caller. */
#include "base/error.h"
#include "flow/inlet.h"
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define IN_LEN      (128u << 10)
#define RATIO_FROM  (64u << 20) /* below it a ratio says nothing: zeros pack to a thousandth */
#define GZIP_WINDOW (15 + 16)   /* of 32 KiB, with header and checksum of gzip */

typedef struct {
    Inlet base;
    Inlet *next;
    InletBounds bounds;
    uint64_t in, out; /* bytes so far */
    uint8_t *held;    /* packed bytes, of which the first at are used */
    size_t at, len;
    bool ended;     /* next has no more */
    bool in_member; /* of gzip, or in a frame of zstd */
    z_stream gzip;
    ZSTD_DStream *zstd;
} UnpackInlet;

static bool corrupt(GError **error, const char *packed, const char *what)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: %s", packed, what);
    return false;
}

/* ---- bounds ---- */

static bool check_bounds(const UnpackInlet *inlet, GError **error)
{
    const InletBounds *bounds = &inlet->bounds;

    if (bounds->size_max > 0 && inlet->out > bounds->size_max) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "it holds more than %" G_GUINT64_FORMAT
                    " bytes; if that is right, allow more with --max-size",
                    bounds->size_max);
        return false;
    }
    if (bounds->ratio_max > 0 && inlet->out > RATIO_FROM &&
        inlet->out / bounds->ratio_max > inlet->in) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "it becomes more than %u times as large when it is unpacked, as a bomb would; "
                    "if that is right, allow more with --max-ratio",
                    bounds->ratio_max);
        return false;
    }
    return true;
}

/* ---- input ---- */

/* Something is held, or there is no more. */
static bool fill(UnpackInlet *inlet, GError **error)
{
    if (inlet->at < inlet->len || inlet->ended)
        return true;
    inlet->at = 0;
    if (!inlet_read(inlet->next, inlet->held, IN_LEN, &inlet->len, error))
        return false;
    inlet->ended = inlet->len == 0;
    inlet->in += inlet->len;
    return true;
}

/* ---- gzip ---- */

static bool gzip_step(UnpackInlet *inlet, uint8_t *buf, size_t len, size_t *ret_n, GError **error)
{
    z_stream *gzip = &inlet->gzip;
    int status;

    if (!inlet->in_member && inflateReset2(gzip, GZIP_WINDOW) != Z_OK)
        return corrupt(error, "gzip", "the decoder cannot begin");
    inlet->in_member = true;
    gzip->next_in = inlet->held + inlet->at;
    gzip->avail_in = (uInt)(inlet->len - inlet->at);
    gzip->next_out = buf;
    gzip->avail_out = (uInt)MIN(len, G_MAXINT);
    status = inflate(gzip, Z_NO_FLUSH);
    inlet->at = inlet->len - gzip->avail_in;
    *ret_n = MIN(len, G_MAXINT) - gzip->avail_out;
    inlet->in_member = status != Z_STREAM_END; // with it length and CRC-32 were compared
    if (status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR)
        return true;
    return corrupt(error, "gzip", gzip->msg ? gzip->msg : "damaged");
}

/* ---- zstd ---- */

static bool zstd_step(UnpackInlet *inlet, uint8_t *buf, size_t len, size_t *ret_n, GError **error)
{
    ZSTD_inBuffer in = { inlet->held, inlet->len, inlet->at };
    ZSTD_outBuffer out = { buf, len, 0 };
    size_t left = ZSTD_decompressStream(inlet->zstd, &out, &in);

    if (ZSTD_isError(left))
        return corrupt(error, "zstd", ZSTD_getErrorName(left));
    inlet->at = in.pos;
    *ret_n = out.pos;
    inlet->in_member = left != 0; // with 0 the frame has ended, and its checksum was compared
    return true;
}

/* ---- the inlet ---- */

static bool unpack_read(Inlet *base, void *buf, size_t len, size_t *ret_n, GError **error)
{
    UnpackInlet *inlet = (UnpackInlet *)base;
    const char *packed = inlet->zstd ? "zstd" : "gzip";

    for (*ret_n = 0; *ret_n == 0 && len > 0;) {
        if (!fill(inlet, error))
            return false;
        // what the decoder has taken may still wait in it; so it is asked once more at the end
        if (inlet->ended && !inlet->in_member)
            return true;
        if (!(inlet->zstd ? zstd_step : gzip_step)(inlet, buf, len, ret_n, error))
            return false;
        if (*ret_n == 0 && inlet->ended && inlet->in_member)
            return corrupt(error, packed, "it ends early");
    }
    inlet->out += *ret_n;
    return check_bounds(inlet, error);
}

static void unpack_free(Inlet *base)
{
    UnpackInlet *inlet = (UnpackInlet *)base;

    if (inlet->zstd)
        (void)ZSTD_freeDStream(inlet->zstd); // cannot fail
    else
        (void)inflateEnd(&inlet->gzip); // only tells that it was in the middle
    g_free(inlet->held);
    inlet_free(inlet->next);
    g_free(inlet);
}

static const InletOps unpack_ops = {
    .name = "unpack",
    .read = unpack_read,
    .free = unpack_free,
};

static bool plain_read(Inlet *base, void *buf, size_t len, size_t *ret_n, GError **error)
{
    UnpackInlet *inlet = (UnpackInlet *)base;

    if (!inlet_read(inlet->next, buf, len, ret_n, error))
        return false;
    inlet->in += *ret_n;
    inlet->out += *ret_n;
    return check_bounds(inlet, error);
}

static void plain_free(Inlet *base)
{
    inlet_free(((UnpackInlet *)base)->next);
    g_free(base);
}

static const InletOps plain_ops = {
    .name = "plain",
    .read = plain_read,
    .free = plain_free,
};

Inlet *inlet_unpack_new(Inlet *next, const InletBounds *bounds, const char **ret_packed,
                        GError **error)
{
    static const uint8_t gzip_magic[] = { 0x1f, 0x8b }, zstd_magic[] = { 0x28, 0xb5, 0x2f, 0xfd };
    UnpackInlet *inlet = g_new0(UnpackInlet, 1);
    const char *packed = NULL;
    const uint8_t *begin;
    size_t n;

    inlet->base.ops = &plain_ops;
    inlet->next = next;
    inlet->bounds = *bounds;
    if (!inlet_peek(next, sizeof zstd_magic, &begin, &n, error)) {
        inlet_free(&inlet->base);
        return NULL;
    }
    if (n >= sizeof gzip_magic && memcmp(begin, gzip_magic, sizeof gzip_magic) == 0) {
        packed = "gzip";
        g_assert(inflateInit2(&inlet->gzip, GZIP_WINDOW) == Z_OK);
    } else if (n == sizeof zstd_magic && memcmp(begin, zstd_magic, n) == 0) {
        packed = "zstd";
        inlet->zstd = ZSTD_createDStream();
        g_assert(inlet->zstd);
    }
    if (packed) {
        inlet->base.ops = &unpack_ops;
        inlet->held = g_malloc(IN_LEN);
    }
    if (ret_packed)
        *ret_packed = packed;
    return &inlet->base;
}
