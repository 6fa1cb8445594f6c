/* SPDX-License-Identifier: Apache-2.0 */
#include "source/exclude.h"

#include "base/fs.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Cache Directory Tagging Specification, https://bford.info/cachedir/ */
#define CACHE_TAG    "CACHEDIR.TAG"
#define CACHE_HEADER "Signature: 8a477f597d28d172789f06886806bc55"

#define HEADER_MAX 4096

bool exclude_path(const FilesOptions *options, const char *path)
{
    return (options->exclude && pattern_list_match(options->exclude, path, NULL)) ||
           (options->iexclude && pattern_list_match(options->iexclude, path, NULL));
}

bool exclude_stat(const FilesOptions *options, const struct stat *st)
{
    return options->exclude_larger_than && S_ISREG(st->st_mode) &&
           (uint64_t)st->st_size > options->exclude_larger_than;
}

static bool begins_with(int fd, const char *header)
{
    char start[HEADER_MAX];
    size_t want = strlen(header), got;

    return want <= sizeof start && fs_read_full(fd, start, want, &got, "tag", NULL) &&
           got == want && memcmp(start, header, want) == 0;
}

static bool has_mark(int dirfd, const char *name, const char *header)
{
    fs_autoclose int fd = -1;
    struct stat st;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    if (!header || !*header)
        return true;
    if (!S_ISREG(st.st_mode))
        return false;
    fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && begins_with(fd, header);
}

const char *exclude_mark(const FilesOptions *options, int dirfd, char **ret_own)
{
    if (options->exclude_caches && has_mark(dirfd, CACHE_TAG, CACHE_HEADER))
        return *ret_own = g_strdup(CACHE_TAG);
    for (char **rule = options->exclude_if_present; rule && *rule; rule++) {
        const char *header = strchr(*rule, ':');
        g_autofree char *name =
            header ? g_strndup(*rule, (size_t)(header - *rule)) : g_strdup(*rule);

        if (has_mark(dirfd, name, header ? header + 1 : NULL))
            return *ret_own = g_steal_pointer(&name);
    }
    return NULL;
}
