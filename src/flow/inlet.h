/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a stream of bytes comes from: a descriptor, or a stage that unpacks or counts what comes
 * from another inlet. Reads until the end, which is only told when all that it can prove was
 * proved: checksums and lengths that a packed stream ends with. One thread.
 */
#pragma once
#include "base/cancel.h"
#include "flow/openpgp.h"
#include "flow/outlet.h"
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Inlet Inlet;

typedef struct {
    const char *name;
    /* At most len bytes; *ret_n 0: the end. */
    bool (*read)(Inlet *inlet, void *buf, size_t len, size_t *ret_n, GError **error);
    void (*free)(Inlet *inlet); /* with those behind it */
} InletOps;

struct Inlet {
    const InletOps *ops;
    GByteArray *ahead; /* what peek has taken; NULL: nothing */
};

bool inlet_read(Inlet *inlet, void *buf, size_t len, size_t *ret_n, GError **error);
/* Until buf is full or the end is there. */
bool inlet_read_full(Inlet *inlet, void *buf, size_t len, size_t *ret_n, GError **error);
/* The next bytes, which stay to be read: len of them, fewer only at the end. Borrowed until the
 * next call. */
bool inlet_peek(Inlet *inlet, size_t len, const uint8_t **ret_data, size_t *ret_n, GError **error);
/* True only at the end. BS_ERROR_CORRUPT: more comes. */
bool inlet_expect_end(Inlet *inlet, GError **error);
void inlet_free(Inlet *inlet); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Inlet, inlet_free)

/* fd and cancel (may be NULL) are borrowed. name is for messages. */
Inlet *inlet_fd_new(int fd, const char *name, const Cancel *cancel);

/* next is taken over; ret_count, with what was read, is filled when the end is told. */
Inlet *inlet_count_new(Inlet *next, OutletCount *ret_count);

/* What a small file may become. */
typedef struct {
    uint64_t size_max;  /* bytes that come out; 0: no bound */
    unsigned ratio_max; /* of what comes out to what went in, beyond the first 64 MiB; 0: none */
} InletBounds;

/*
 * Unpacks what begins as gzip (RFC 1952, members one after the other) or zstd (RFC 8878, frames)
 * does, and gives anything else as it is; the bound of the size is for both. *ret_packed (may be
 * NULL) is "gzip", "zstd" or NULL. next is taken over, also on failure. Reading: BS_ERROR_CORRUPT:
 * damaged, cut off, or beyond the bounds.
 */
Inlet *inlet_unpack_new(Inlet *next, const InletBounds *bounds, const char **ret_packed,
                        GError **error);

/*
 * Decrypts what begins as an OpenPGP message does, and gives anything else as it is. What it gives
 * may have been made by anybody until the end is told. with->passphrase is borrowed for the inlet's
 * life; next is taken over, also on failure. Reading: the errors of openpgp_decrypt().
 */
Inlet *inlet_openpgp_new(Inlet *next, const char *name, const OpenpgpWith *with,
                         const Cancel *cancel, bool *ret_encrypted, GError **error);
