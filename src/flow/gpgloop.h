/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits for GnuPG in place of gpgme, whose own loop never ends when gpg is killed while it has yet
 * to read (a full pipe without reader is an error to poll(2), and no room for more).
 */
#pragma once
#include "base/cancel.h"
#include <glib.h>
#include <gpgme.h>
#include <stdbool.h>

typedef struct {
    gpgme_ctx_t gpg;
    GPtrArray *watches; /* what gpgme waits for */
    bool done;
    gpgme_error_t why;
} GpgLoop;

/* Before gpgme_op_..._start(). */
void gpg_loop_init(GpgLoop *loop, gpgme_ctx_t gpg);
/* After it, with what that returned: till the end of the operation. GPG_ERR_CANCELED when cancel
 * (may be NULL) is set meanwhile. */
gpgme_error_t gpg_loop_run(GpgLoop *loop, gpgme_error_t started, const Cancel *cancel);
