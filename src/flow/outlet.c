/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/outlet.h"

#include "base/error.h"
#include "codec/hash.h"
#include <errno.h>

bool outlet_write(Outlet *outlet, const void *data, size_t len, GError **error)
{
    return len == 0 || outlet->ops->write(outlet, data, len, error);
}

bool outlet_finish(Outlet *outlet, GError **error)
{
    return outlet->ops->finish(outlet, error);
}

void outlet_free(Outlet *outlet)
{
    if (outlet)
        outlet->ops->free(outlet);
}

/* ---- a descriptor ---- */

typedef struct {
    Outlet base;
    int fd;
    const Cancel *cancel;
    char *name;
} FdOutlet;

static bool fd_write(Outlet *base, const void *data, size_t len, GError **error)
{
    const FdOutlet *outlet = (const FdOutlet *)base;
    const char *at = data;

    while (len > 0) {
        ssize_t n = cancel_write(outlet->cancel, outlet->fd, at, len);

        if (n < 0 && errno == ECANCELED)
            return cancel_check(outlet->cancel, error);
        if (n < 0 && errno == EPIPE) {
            g_set_error(error, BS_ERROR, BS_ERROR_CANCELLED, "%s: broken pipe", outlet->name);
            return false;
        }
        if (n <= 0) {
            bs_error_errno(error, n < 0 ? errno : EIO, "write %s", outlet->name);
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool fd_finish(G_GNUC_UNUSED Outlet *base, G_GNUC_UNUSED GError **error)
{
    return true;
}

static void fd_free(Outlet *base)
{
    FdOutlet *outlet = (FdOutlet *)base;

    g_free(outlet->name);
    g_free(outlet);
}

static const OutletOps fd_ops = {
    .name = "fd",
    .write = fd_write,
    .finish = fd_finish,
    .free = fd_free,
};

Outlet *outlet_fd_new(int fd, const char *name, const Cancel *cancel)
{
    FdOutlet *outlet = g_new0(FdOutlet, 1);

    outlet->base.ops = &fd_ops;
    outlet->fd = fd;
    outlet->cancel = cancel;
    outlet->name = g_strdup(name);
    return &outlet->base;
}

/* ---- counting ---- */

typedef struct {
    Outlet base;
    Outlet *next;
    OutletCount *ret_count;
    uint64_t size;
    Hash *hash;
} CountOutlet;

static bool count_write(Outlet *base, const void *data, size_t len, GError **error)
{
    CountOutlet *outlet = (CountOutlet *)base;

    hash_update(outlet->hash, data, len);
    outlet->size += len;
    return outlet_write(outlet->next, data, len, error);
}

static bool count_finish(Outlet *base, GError **error)
{
    CountOutlet *outlet = (CountOutlet *)base;

    if (!outlet_finish(outlet->next, error))
        return false;
    outlet->ret_count->size = outlet->size;
    hash_final(outlet->hash, &outlet->ret_count->sha256);
    return true;
}

static void count_free(Outlet *base)
{
    CountOutlet *outlet = (CountOutlet *)base;

    hash_free(outlet->hash);
    outlet_free(outlet->next);
    g_free(outlet);
}

static const OutletOps count_ops = {
    .name = "count",
    .write = count_write,
    .finish = count_finish,
    .free = count_free,
};

Outlet *outlet_count_new(Outlet *next, OutletCount *ret_count)
{
    CountOutlet *outlet = g_new0(CountOutlet, 1);

    outlet->base.ops = &count_ops;
    outlet->next = next;
    outlet->ret_count = ret_count;
    outlet->hash = hash_new();
    return &outlet->base;
}

/* ---- two ways ---- */

typedef struct {
    Outlet base;
    Outlet *first, *second;
} TeeOutlet;

static bool tee_write(Outlet *base, const void *data, size_t len, GError **error)
{
    const TeeOutlet *outlet = (const TeeOutlet *)base;

    return outlet_write(outlet->first, data, len, error) &&
           outlet_write(outlet->second, data, len, error);
}

static bool tee_finish(Outlet *base, GError **error)
{
    const TeeOutlet *outlet = (const TeeOutlet *)base;

    return outlet_finish(outlet->first, error) && outlet_finish(outlet->second, error);
}

static void tee_free(Outlet *base)
{
    TeeOutlet *outlet = (TeeOutlet *)base;

    outlet_free(outlet->first);
    outlet_free(outlet->second);
    g_free(outlet);
}

static const OutletOps tee_ops = {
    .name = "tee",
    .write = tee_write,
    .finish = tee_finish,
    .free = tee_free,
};

Outlet *outlet_tee_new(Outlet *first, Outlet *second)
{
    TeeOutlet *outlet = g_new0(TeeOutlet, 1);

    outlet->base.ops = &tee_ops;
    outlet->first = first;
    outlet->second = second;
    return &outlet->base;
}
