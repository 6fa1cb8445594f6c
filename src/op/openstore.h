/* SPDX-License-Identifier: Apache-2.0 */
/* From a location and the settings to a store, with all that it stands on. */
#pragma once
#include "base/cancel.h"
#include "config/settings.h"
#include "store/s3.h"

/* A server's store and what that needs. */
typedef struct Remote Remote;

typedef struct {
    Store *store;
    Remote *remote; /* NULL for a directory */
} OpenStore;

/*
 * location: a path, local:path, or s3:... (store/s3.h). infix: "", "FROM_" for the other
 * repository or that of a mirror, which may have keys of their own. create: for init; what is put
 * makes the directory. Nothing is asked of a server. BS_ERROR_UNSUPPORTED names schemes this
 * version lacks. cancel is borrowed and may be NULL.
 */
bool open_store(const Settings *settings, const char *location, const char *infix, bool create,
                const Cancel *cancel, OpenStore *ret_open, GError **error);
/* Which bucket, without asking anything of it. BS_ERROR_UNSUPPORTED: a directory is none. */
bool open_place(const char *location, S3Place *ret_place, GError **error);
/* For init: the bucket, when there is none. */
bool open_store_create(OpenStore *open, GError **error);
void open_store_done(OpenStore *open);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(OpenStore, open_store_done)
