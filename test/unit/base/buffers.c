/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffers.h"

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static void hands_out_n_whole_buffers_and_no_more(void)
{
    Buffers *buffers = buffers_new(3, 1001);
    uint8_t *taken[3];

    g_assert_cmpuint(buffers_size(buffers), ==, 1001);
    for (int i = 0; i < 3; i++) {
        taken[i] = buffers_take(buffers);
        memset(taken[i], i + 1, 1001);
    }
    g_assert_null(buffers_try_take(buffers));
    for (int i = 0; i < 3; i++) {
        for (int at = 0; at < 1001; at++)
            g_assert_cmpint(taken[i][at], ==, i + 1);
        buffers_give(buffers, taken[i]);
    }
    buffers_free(buffers);
}

static void the_last_one_returned_comes_first(void)
{
    Buffers *buffers = buffers_new(3, 10);
    uint8_t *a = buffers_take(buffers), *b = buffers_take(buffers);

    buffers_give(buffers, b);
    buffers_give(buffers, a);
    g_assert_true(buffers_try_take(buffers) == a);
    g_assert_true(buffers_try_take(buffers) == b);
    buffers_give(buffers, a);
    buffers_give(buffers, b);
    buffers_free(buffers);
}

typedef struct {
    Buffers *buffers;
    atomic_bool got;
} Taker;

static void *take_one(void *data)
{
    Taker *taker = data;
    uint8_t *buffer = buffers_take(taker->buffers);

    atomic_store(&taker->got, true);
    buffers_give(taker->buffers, buffer);
    return NULL;
}

static void whoever_takes_waits_for_a_free_one(void)
{
    Taker taker = { .buffers = buffers_new(1, 10) };
    uint8_t *buffer = buffers_take(taker.buffers);
    pthread_t thread;

    g_assert_cmpint(pthread_create(&thread, NULL, take_one, &taker), ==, 0);
    (void)usleep(20000);
    g_assert_false(atomic_load(&taker.got));
    buffers_give(taker.buffers, buffer);
    pthread_join(thread, NULL);
    g_assert_true(atomic_load(&taker.got));
    buffers_free(taker.buffers);
}

/* Without an owner's exclusive right the two writes are a data race, and the value changes under
 * us. */
static void *use_many(void *data)
{
    for (int i = 0; i < 3000; i++) {
        uint8_t *buffer = buffers_take(data);
        uint8_t mine = (uint8_t)(i ^ (int)((uintptr_t)&i >> 12));

        memset(buffer, mine, 64);
        for (int at = 0; at < 64; at++)
            g_assert_cmpint(buffer[at], ==, mine);
        buffers_give(data, buffer);
    }
    return NULL;
}

static void a_buffer_has_one_owner(void)
{
    Buffers *buffers = buffers_new(2, 64);
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        g_assert_cmpint(pthread_create(&threads[i], NULL, use_many, buffers), ==, 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    buffers_free(buffers);
}

/* Resident pages of this process; proc(5), "statm". */
static gint64 resident_pages(void)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents("/proc/self/statm", &text, NULL, NULL));
    return g_ascii_strtoll(strchr(text, ' '), NULL, 10);
}

static void memory_is_used_only_when_touched(void)
{
    gint64 before = resident_pages();
    Buffers *buffers = buffers_new(32, 8 << 20);

    // a machine that is short of memory may have taken some away meanwhile
    g_assert_cmpint((resident_pages() - before) * sysconf(_SC_PAGESIZE), <, 4 << 20);
    buffers_free(buffers);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/buffers/n", hands_out_n_whole_buffers_and_no_more);
    g_test_add_func("/buffers/order", the_last_one_returned_comes_first);
    g_test_add_func("/buffers/wait", whoever_takes_waits_for_a_free_one);
    g_test_add_func("/buffers/owner", a_buffer_has_one_owner);
    g_test_add_func("/buffers/memory", memory_is_used_only_when_touched);
    return g_test_run();
}
