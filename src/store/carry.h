/* SPDX-License-Identifier: Apache-2.0 */
/* Objects from one store to another, byte for byte. Any thread. */
#pragma once
#include "base/id.h"
#include "store/store.h"

/*
 * The object of size bytes, replacing what `to` may have under the key. want: the SHA-256 that its
 * bytes must have, or NULL. BS_ERROR_CORRUPT when they have another, or when there are more or
 * fewer of them: then `to` is as it was. Memory: the object, at most 32 MiB of it.
 */
bool carry_object(Store *from, Store *to, const char *key, uint64_t size, const Id *want,
                  GError **error);

/* Puts, and where the store's word is no proof (acks_may_lie) looks for the object.
 * BS_ERROR_FAILED: it was acknowledged, but is not there, or cut. So do all of these. */
bool carry_put(Store *to, const char *key, const void *data, size_t len, GError **error);

/* Puts if absent; an object that is there already must have these very bytes, else
 * BS_ERROR_EXISTS. */
bool carry_put_same(Store *to, const char *key, const void *data, size_t len, GError **error);
/* The same with an object that lies in `from`. */
bool carry_same(Store *from, Store *to, const char *key, GError **error);
