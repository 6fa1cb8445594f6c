/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded: a wall clock that a test may set, for one program and its children alone. The file
 * CLOCK_FILE holds two numbers of 64 bits: by how many seconds the clock is ahead, and how often it
 * was set. When only the first changes, time has passed. Timers of the wall clock then end when the
 * kernel's would: at their time, or, if they ask for it, as soon as the clock is set
 * (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET). One such timer at a time.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static struct {
    int64_t ahead, sets;
} none;
static const volatile __typeof__(none) *clock_file = &none;

static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_create)(int, int);
static int (*real_settime)(int, int, const struct itimerspec *, struct itimerspec *);
static ssize_t (*real_read)(int, void *, size_t);

static struct {
    pthread_mutex_t lock;
    int fd;
    bool armed, cancelled;
    int64_t ahead, sets; /* that it knows of */
    struct itimerspec until;
} timer = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

/* Other libraries may ask for the time before it is our turn to begin. */
__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CLOCK_FILE");
    void *map = MAP_FAILED;
    int fd;

    if (real_read)
        return;
    fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0)
        map = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, fd, 0);
    real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_create = dlsym(RTLD_NEXT, "timerfd_create");
    real_settime = dlsym(RTLD_NEXT, "timerfd_settime");
    real_read = dlsym(RTLD_NEXT, "read");
    if (fd >= 0)
        (void)close(fd);
    if (map != MAP_FAILED)
        clock_file = map;
}

/* ---- the time ---- */

int clock_gettime(clockid_t id, struct timespec *now)
{
    int done;

    begin();
    done = real_gettime(id, now);
    if (done == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += clock_file->ahead;
    return done;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &precise);
    *now = (struct timeval){ precise.tv_sec, precise.tv_nsec / 1000 };
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec precise;

    (void)clock_gettime(CLOCK_REALTIME, &precise);
    if (ret)
        *ret = precise.tv_sec;
    return precise.tv_sec;
}

/* ---- the timer; locked ---- */

static int arm(void)
{
    struct itimerspec until = timer.until;

    until.it_value.tv_sec -= clock_file->ahead;
    if (timer.cancelled || until.it_value.tv_sec < 1)
        until.it_value = (struct timespec){ .tv_nsec = 1 };
    return real_settime(timer.fd, TFD_TIMER_ABSTIME, &until, NULL);
}

static bool was_set(void)
{
    const bool set = timer.sets != clock_file->sets;

    timer.sets = clock_file->sets;
    timer.ahead = clock_file->ahead;
    return set;
}

/* ---- the timer ---- */

static void *watch(void *nothing)
{
    for (;;) {
        (void)usleep(10000);
        pthread_mutex_lock(&timer.lock);
        if (timer.armed && (timer.ahead != clock_file->ahead || timer.sets != clock_file->sets)) {
            timer.cancelled |= was_set();
            (void)arm();
        }
        pthread_mutex_unlock(&timer.lock);
    }
    return nothing;
}

int timerfd_create(int id, int flags)
{
    const int fd = real_create(id, flags);
    pthread_t thread;

    if (fd >= 0 && id == CLOCK_REALTIME && timer.fd < 0) {
        timer.fd = fd;
        (void)was_set();
        (void)pthread_create(&thread, NULL, watch, NULL);
    }
    return fd;
}

/* As the kernel does, it arms the timer also when it says that the clock was set meanwhile. */
int timerfd_settime(int fd, int flags, const struct itimerspec *until, struct itimerspec *before)
{
    bool set;
    int done;

    if (fd != timer.fd || !(flags & TFD_TIMER_ABSTIME))
        return real_settime(fd, flags, until, before);
    pthread_mutex_lock(&timer.lock);
    set = was_set() || timer.cancelled;
    set = set && timer.armed && flags & TFD_TIMER_CANCEL_ON_SET;
    timer.armed = true;
    timer.cancelled = false;
    timer.until = *until;
    done = arm();
    pthread_mutex_unlock(&timer.lock);
    if (done == 0 && set) {
        errno = ECANCELED;
        return -1;
    }
    return done;
}

ssize_t read(int fd, void *data, size_t len)
{
    bool cancelled;

    begin();
    if (fd != timer.fd || fd < 0)
        return real_read(fd, data, len);
    pthread_mutex_lock(&timer.lock);
    cancelled = timer.cancelled;
    timer.cancelled = false;
    if (cancelled)
        (void)arm();
    pthread_mutex_unlock(&timer.lock);
    if (cancelled) {
        errno = ECANCELED;
        return -1;
    }
    return real_read(fd, data, len);
}
