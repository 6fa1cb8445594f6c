/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/walserve.h"

#include "base/error.h"

#define JOBS_MAX     32
#define JOBS_DEFAULT 8 /* what a bucket makes use of; memory is bounded apart from it */

bool wal_serve_run(const Context *context, const WalServerOptions *options, GError **error)
{
    WalServe serve = {
        .socket = options->socket,
        .group = options->group,
        .jobs = options->jobs == 0 ? JOBS_DEFAULT : (unsigned)options->jobs,
    };

    if (options->jobs >= 0 && options->jobs <= JOBS_MAX)
        return op_wal_serve(context->settings, &serve, context->cancel, error);
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--jobs %d: must be from 1 to %d", options->jobs,
                JOBS_MAX);
    return false;
}

bool wal_hand_over(const Context *context, const WalServerOptions *options,
                   const WalClusterFrom *from, bool *ret_done, WalPushed *ret_pushed,
                   GError **error)
{
    const char *set = g_getenv("BACKSTAY_WAL_SERVER");
    const char *use = options->server ? options->server : set && *set ? set : NULL;
    WalServerAt at = { .socket = options->socket };

    return wal_server_use_parse(use, &at.use, error) &&
           op_wal_hand_over(context->settings, &at, from, context->cancel, ret_done, ret_pushed,
                            error);
}
