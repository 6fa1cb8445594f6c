/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/inlet.h"

#include "base/error.h"
#include "codec/hash.h"
#include <string.h>

/* ---- any ---- */

bool inlet_read(Inlet *inlet, void *buf, size_t len, size_t *ret_n, GError **error)
{
    size_t n;

    if (!inlet->ahead)
        return inlet->ops->read(inlet, buf, len, ret_n, error);
    n = MIN(len, inlet->ahead->len);
    memcpy(buf, inlet->ahead->data, n);
    g_byte_array_remove_range(inlet->ahead, 0, (guint)n);
    if (inlet->ahead->len == 0)
        g_clear_pointer(&inlet->ahead, g_byte_array_unref);
    *ret_n = n;
    return true;
}

bool inlet_read_full(Inlet *inlet, void *buf, size_t len, size_t *ret_n, GError **error)
{
    size_t have = 0, n = 1;

    while (have < len && n > 0) {
        if (!inlet_read(inlet, (uint8_t *)buf + have, len - have, &n, error))
            return false;
        have += n;
    }
    *ret_n = have;
    return true;
}

bool inlet_peek(Inlet *inlet, size_t len, const uint8_t **ret_data, size_t *ret_n, GError **error)
{
    g_autoptr(GByteArray) ahead = g_byte_array_new();
    size_t n;

    g_byte_array_set_size(ahead, (guint)len);
    if (!inlet_read_full(inlet, ahead->data, len, &n, error))
        return false;
    g_byte_array_set_size(ahead, (guint)n);
    // what an earlier, longer look has taken comes behind
    if (inlet->ahead)
        g_byte_array_append(ahead, inlet->ahead->data, inlet->ahead->len);
    g_clear_pointer(&inlet->ahead, g_byte_array_unref);
    *ret_data = ahead->data;
    *ret_n = n;
    if (ahead->len > 0)
        inlet->ahead = g_steal_pointer(&ahead);
    return true;
}

bool inlet_expect_end(Inlet *inlet, GError **error)
{
    char byte;
    size_t n;

    if (!inlet_read(inlet, &byte, 1, &n, error))
        return false;
    if (n == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "something comes after its end");
    return false;
}

void inlet_free(Inlet *inlet)
{
    if (!inlet)
        return;
    g_clear_pointer(&inlet->ahead, g_byte_array_unref);
    inlet->ops->free(inlet);
}

/* ---- a descriptor ---- */

typedef struct {
    Inlet base;
    int fd;
    const Cancel *cancel;
    char *name;
} FdInlet;

static bool fd_read(Inlet *base, void *buf, size_t len, size_t *ret_n, GError **error)
{
    const FdInlet *inlet = (const FdInlet *)base;
    ssize_t n = cancel_read(inlet->cancel, inlet->fd, buf, len, error);

    if (n < 0) {
        g_prefix_error(error, "%s: ", inlet->name);
        return false;
    }
    *ret_n = (size_t)n;
    return true;
}

static void fd_free(Inlet *base)
{
    FdInlet *inlet = (FdInlet *)base;

    g_free(inlet->name);
    g_free(inlet);
}

static const InletOps fd_ops = {
    .name = "fd",
    .read = fd_read,
    .free = fd_free,
};

Inlet *inlet_fd_new(int fd, const char *name, const Cancel *cancel)
{
    FdInlet *inlet = g_new0(FdInlet, 1);

    inlet->base.ops = &fd_ops;
    inlet->fd = fd;
    inlet->cancel = cancel;
    inlet->name = g_strdup(name);
    return &inlet->base;
}

/* ---- counting ---- */

typedef struct {
    Inlet base;
    Inlet *next;
    OutletCount *ret_count;
    uint64_t size;
    Hash *hash;
    bool ended;
} CountInlet;

static bool count_read(Inlet *base, void *buf, size_t len, size_t *ret_n, GError **error)
{
    CountInlet *inlet = (CountInlet *)base;

    if (!inlet_read(inlet->next, buf, len, ret_n, error))
        return false;
    hash_update(inlet->hash, buf, *ret_n);
    inlet->size += *ret_n;
    if (*ret_n == 0 && len > 0 && !inlet->ended) {
        inlet->ended = true;
        inlet->ret_count->size = inlet->size;
        hash_final(inlet->hash, &inlet->ret_count->sha256);
    }
    return true;
}

static void count_free(Inlet *base)
{
    CountInlet *inlet = (CountInlet *)base;

    hash_free(inlet->hash);
    inlet_free(inlet->next);
    g_free(inlet);
}

static const InletOps count_ops = {
    .name = "count",
    .read = count_read,
    .free = count_free,
};

Inlet *inlet_count_new(Inlet *next, OutletCount *ret_count)
{
    CountInlet *inlet = g_new0(CountInlet, 1);

    inlet->base.ops = &count_ops;
    inlet->next = next;
    inlet->ret_count = ret_count;
    inlet->hash = hash_new();
    return &inlet->base;
}
