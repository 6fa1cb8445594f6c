/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into unit tests: a program that starts a thread, itself or by a library, leaves an
 * empty file of its name in the directory THREADS_SEEN. Those are the ones that the thread
 * sanitizer has something to say of.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef int (*Create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static void leave_a_file(void)
{
    const char *directory = getenv("THREADS_SEEN");
    char path[4096];
    int fd;

    if (!directory)
        return;
    (void)snprintf(path, sizeof(path), "%s/%s", directory, program_invocation_short_name);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    // a program of another user may not be able to; it is none of ours
    if (fd >= 0)
        (void)close(fd);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument)
{
    Create create = (Create)dlsym(RTLD_NEXT, "pthread_create");

    leave_a_file();
    return create(thread, attributes, start, argument);
}
