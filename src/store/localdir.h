/* SPDX-License-Identifier: Apache-2.0 */
/* The directories of a local store, and the way to what lies in them. For store/local.c; any
 * thread. */
#pragma once
#include "store/store.h"
#include <fcntl.h>
#include <pthread.h>

/* O_NONBLOCK: a pipe planted under an object's name must not stop us. */
#define LOCAL_OPEN_OBJECT (O_RDONLY | O_NONBLOCK | O_NOCTTY)
#define LOCAL_OPEN_DIR    (O_RDONLY | O_DIRECTORY)

typedef struct {
    Store base;
    bool create;
    bool unsynced;
    pthread_mutex_t mutex;
    int root;            /* -1 until it was there */
    GHashTable *durable; /* set of directories whose own entry is known to be on the disk */
} LocalStore;

char *local_full_path(const LocalStore *local, const char *key);
/* Opens an object or directory; the error names the whole path. */
int local_open_below(LocalStore *local, const char *key, int flags, GError **error);
/* The directory for a new object, made where it is missing. */
int local_open_dir_for_put(LocalStore *local, const char *dir, GError **error);
bool local_sync_dir(const LocalStore *local, int fd, GError **error);
/* Whoever shares a repository with his group makes config readable for it; what is added follows
 * (repository format, "Local directory"). To be asked when the root is open. */
bool local_is_shared_with_group(LocalStore *local);
