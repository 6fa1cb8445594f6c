/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Lies at the start of pages of its own, which are read-only while it lives. */
struct Secret {
    size_t mapped;
    size_t len;
    char data[];
};

Secret *secret_new(const void *data, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t mapped = (sizeof(Secret) + len + 1 + page - 1) / page * page;
    Secret *secret = NULL;

    g_assert(len < SIZE_MAX / 2);
    secret = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (secret == MAP_FAILED)
        g_error("no memory for a secret of %zu bytes: %s", len, g_strerror(errno));
    (void)mlock(secret, mapped); // an unprivileged user may have no locked memory left
    (void)madvise(secret, mapped, MADV_DONTDUMP);
    secret->mapped = mapped;
    secret->len = len;
    if (len > 0)
        memcpy(secret->data, data, len);
    (void)mprotect(secret, mapped, PROT_READ);
    return secret;
}

void secret_free(Secret *secret)
{
    size_t mapped;

    if (!secret)
        return;
    mapped = secret->mapped;
    if (mprotect(secret, mapped, PROT_READ | PROT_WRITE) == 0)
        secret_wipe(secret, mapped);
    (void)munmap(secret, mapped);
}

const void *secret_data(const Secret *secret)
{
    return secret->data;
}

size_t secret_len(const Secret *secret)
{
    return secret->len;
}

void secret_wipe(void *data, size_t len)
{
    if (len > 0)
        explicit_bzero(data, len);
}
