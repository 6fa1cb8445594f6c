/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of lock objects (repository format, "Locks"). */
#pragma once
#include "base/clock.h"
#include <glib.h>
#include <sys/types.h>

typedef struct {
    Timestamp time;
    bool exclusive;
    char *hostname, *username; /* never NULL */
    int64_t pid;
    uint32_t uid, gid;
} LockText;

/* BS_ERROR_CORRUPT. On success the strings are to be freed with locktext_done(). */
bool locktext_decode(const char *text, size_t len, LockText *ret_lock, GError **error);
/* To be freed. */
char *locktext_encode(const LockText *lock);
void locktext_done(LockText *lock);
