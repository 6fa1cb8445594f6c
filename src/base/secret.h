/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A password or key: bytes in locked memory (mlock where allowed, left out of core dumps), wiped
 * when freed. Never printed; a log shows ***. Immutable, so threads may share it.
 */
#pragma once
#include <glib.h>
#include <stddef.h>

typedef struct Secret Secret;

/* Copies; the caller wipes its own copy with secret_wipe(). */
Secret *secret_new(const void *data, size_t len);
void secret_free(Secret *secret);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Secret, secret_free)

const void *secret_data(const Secret *secret); /* also zero-terminated, for APIs that want text */
size_t secret_len(const Secret *secret);

/* Overwrites in a way the compiler may not remove. */
void secret_wipe(void *data, size_t len);
