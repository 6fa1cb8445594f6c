/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/index_cache.h"
#include "base/fs.h"
#include "base/secret.h"
#include "codec/kdf.h"
#include "repo/cachedir.h"
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define NAME      "index.v1"
#define TEMPORARY "index.v1-tmp-"
/* A temporary file this old was left by a process that died. */
#define LEFTOVER_AGE_S (24 * 60 * 60)

struct IndexCache {
    char *dir;
    uint8_t key[INDEX_TABLE_KEY_LEN];
};

static void remove_leftovers(const char *dir)
{
    g_autoptr(GDir) listing = g_dir_open(dir, 0, NULL);
    const char *name;

    while (listing && (name = g_dir_read_name(listing))) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        struct stat stat;

        if (g_str_has_prefix(name, TEMPORARY) && lstat(path, &stat) == 0 &&
            stat.st_mtime < time(NULL) - LEFTOVER_AGE_S)
            (void)unlink(path);
    }
}

IndexCache *index_cache_open(const char *cache_dir, const char *repo_id, const SealKey *master)
{
    g_autofree char *dir = cachedir_open(cache_dir, repo_id);
    IndexCache *cache;

    if (!dir)
        return NULL;
    cache = g_new0(IndexCache, 1);
    cache->dir = g_steal_pointer(&dir);
    kdf_hkdf(master, SEAL_KEY_LEN, "backstay index cache v1", cache->key, sizeof(cache->key));
    return cache;
}

void index_cache_free(IndexCache *cache)
{
    if (!cache)
        return;
    secret_wipe(cache->key, sizeof(cache->key));
    g_free(cache->dir);
    g_free(cache);
}

const uint8_t *index_cache_key(const IndexCache *cache)
{
    return cache->key;
}

IndexTable *index_cache_load(const IndexCache *cache)
{
    g_autofree char *path = g_build_filename(cache->dir, NAME, NULL);
    fs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd >= 0 ? index_table_open(fd, cache->key) : NULL;
}

int index_cache_begin(const IndexCache *cache, char **ret_path)
{
    g_autofree char *path = g_build_filename(cache->dir, TEMPORARY "XXXXXX", NULL);
    int fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0)
        *ret_path = g_steal_pointer(&path);
    return fd;
}

bool index_cache_save(const IndexCache *cache, int fd, const char *path)
{
    g_autofree char *target = g_build_filename(cache->dir, NAME, NULL);
    bool saved = close(fd) == 0 && rename(path, target) == 0;

    if (!saved)
        (void)unlink(path);
    remove_leftovers(cache->dir);
    return saved;
}

void index_cache_drop(int fd, const char *path)
{
    (void)close(fd);
    (void)unlink(path);
}

int index_cache_scratch(const IndexCache *cache)
{
    g_autofree char *path = NULL;
    int fd = index_cache_begin(cache, &path);

    if (fd >= 0)
        (void)unlink(path);
    return fd;
}
