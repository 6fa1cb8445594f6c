/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a stream of bytes goes: a descriptor, or a stage that compresses or counts what goes on to
 * another outlet. Any number of writes, then finish, once. free() without finish() leaves the
 * stream without its end, so that nobody takes it for whole. One thread.
 */
#pragma once
#include "base/cancel.h"
#include "base/id.h"
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Outlet Outlet;

typedef struct {
    const char *name;
    bool (*write)(Outlet *outlet, const void *data, size_t len, GError **error);
    /* What was kept back goes on, and the next one is finished. */
    bool (*finish)(Outlet *outlet, GError **error);
    void (*free)(Outlet *outlet); /* with those behind it */
} OutletOps;

struct Outlet {
    const OutletOps *ops;
};

bool outlet_write(Outlet *outlet, const void *data, size_t len, GError **error);
bool outlet_finish(Outlet *outlet, GError **error);
void outlet_free(Outlet *outlet); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Outlet, outlet_free)

/* fd and cancel (may be NULL) are borrowed; nothing is synced. name is for messages. A reader that
 * went away is BS_ERROR_CANCELLED ("broken pipe"). */
Outlet *outlet_fd_new(int fd, const char *name, const Cancel *cancel);

/* What has gone through: valid when it was finished. */
typedef struct {
    uint64_t size;
    Id sha256;
} OutletCount;
/* next is taken over; ret_count is filled by finish. */
Outlet *outlet_count_new(Outlet *next, OutletCount *ret_count);

/* The same to both, which are taken over; the second one is finished only after the first was. */
Outlet *outlet_tee_new(Outlet *first, Outlet *second);

/*
 * One gzip stream (RFC 1952), compressed in several threads: pieces of 1 MiB, each knowing the 32
 * KiB before it, so that it is hardly larger than that of one thread. level: 1 to 9; 0: 6. threads:
 * 0: one per core. next is taken over.
 */
Outlet *outlet_gzip_new(Outlet *next, int level, unsigned threads);
/* One zstd frame with a checksum, by zstd's own threads. level: as zstd's; 0: 3. */
Outlet *outlet_zstd_new(Outlet *next, int level, unsigned threads);
