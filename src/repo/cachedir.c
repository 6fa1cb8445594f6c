/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/cachedir.h"

#include "base/fs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Cache Directory Tagging Specification: backup programs pass over directories with this file. */
static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                          "# This directory holds caches of backstay; it may be removed.\n";

static void write_tag(const char *cache_dir)
{
    g_autofree char *path = g_build_filename(cache_dir, "CACHEDIR.TAG", NULL);
    fs_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    // without the tag the cache works as well
    if (fd >= 0)
        (void)fs_write_all(fd, tag, strlen(tag), path, NULL);
}

char *cachedir_open(const char *cache_dir, const char *repo_id)
{
    g_autofree char *dir = cache_dir ? g_build_filename(cache_dir, repo_id, NULL) : NULL;

    if (!dir || !fs_make_dirs(dir, 0700, NULL))
        return NULL;
    write_tag(cache_dir);
    // `backstay cache` tells by it which ones are old; with an older time it is only removed early
    (void)utimensat(AT_FDCWD, dir, NULL, 0);
    return g_steal_pointer(&dir);
}
