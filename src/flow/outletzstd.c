/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/outlet.h"

#include "base/error.h"
#include "base/parallel.h"
#include <zstd.h>

typedef struct {
    Outlet base;
    Outlet *next;
    ZSTD_CStream *stream;
    ZSTD_outBuffer out;
} ZstdOutlet;

/* One step; what has come out goes on when there is no more room for it. *ret_left: 0 when nothing
 * of what the mode asks for is left. */
static bool step(ZstdOutlet *outlet, ZSTD_inBuffer *in, ZSTD_EndDirective mode, size_t *ret_left,
                 GError **error)
{
    *ret_left = ZSTD_compressStream2(outlet->stream, &outlet->out, in, mode);
    if (ZSTD_isError(*ret_left)) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "zstd: %s", ZSTD_getErrorName(*ret_left));
        return false;
    }
    if (outlet->out.pos == outlet->out.size || (mode == ZSTD_e_end && *ret_left == 0)) {
        size_t len = outlet->out.pos;

        outlet->out.pos = 0;
        return outlet_write(outlet->next, outlet->out.dst, len, error);
    }
    return true;
}

static bool zstd_write(Outlet *base, const void *data, size_t len, GError **error)
{
    ZSTD_inBuffer in = { data, len, 0 };
    size_t left;

    while (in.pos < in.size)
        if (!step((ZstdOutlet *)base, &in, ZSTD_e_continue, &left, error))
            return false;
    return true;
}

static bool zstd_finish(Outlet *base, GError **error)
{
    ZstdOutlet *outlet = (ZstdOutlet *)base;
    ZSTD_inBuffer none = { NULL, 0, 0 };
    size_t left;

    do
        if (!step(outlet, &none, ZSTD_e_end, &left, error))
            return false;
    while (left > 0);
    return outlet_finish(outlet->next, error);
}

static void zstd_free(Outlet *base)
{
    ZstdOutlet *outlet = (ZstdOutlet *)base;

    (void)ZSTD_freeCStream(outlet->stream); // cannot fail
    g_free(outlet->out.dst);
    outlet_free(outlet->next);
    g_free(outlet);
}

static const OutletOps zstd_ops = {
    .name = "zstd",
    .write = zstd_write,
    .finish = zstd_finish,
    .free = zstd_free,
};

static void set(ZSTD_CStream *stream, ZSTD_cParameter parameter, int value)
{
    g_assert(!ZSTD_isError(ZSTD_CCtx_setParameter(stream, parameter, value)));
}

Outlet *outlet_zstd_new(Outlet *next, int level, unsigned threads)
{
    ZstdOutlet *outlet = g_new0(ZstdOutlet, 1);

    threads = MIN(threads ? threads : parallel_cores(), PARALLEL_MAX);
    outlet->base.ops = &zstd_ops;
    outlet->next = next;
    outlet->stream = ZSTD_createCStream();
    g_assert(outlet->stream);
    set(outlet->stream, ZSTD_c_compressionLevel, level ? level : 3);
    set(outlet->stream, ZSTD_c_checksumFlag, 1);
    // a library without threads refuses the number, and does the work here
    (void)ZSTD_CCtx_setParameter(outlet->stream, ZSTD_c_nbWorkers, (int)threads);
    outlet->out.size = ZSTD_CStreamOutSize();
    outlet->out.dst = g_malloc(outlet->out.size);
    return &outlet->base;
}
