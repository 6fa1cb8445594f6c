/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/handover.h"
#include <glib.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#define LEN 300007u

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 2654435761u >> 13);
}

typedef struct {
    Handover *handover;
    size_t step;
    bool whole, ok;
} Writer;

static void *write_all(void *user)
{
    Writer *writer = user;
    g_autofree uint8_t *bytes = g_malloc(LEN);

    for (size_t i = 0; i < LEN; i++)
        bytes[i] = byte_at(i);
    writer->ok = true;
    for (size_t at = 0; at < LEN && writer->ok; at += writer->step)
        writer->ok = handover_write(writer->handover, bytes + at, MIN(writer->step, LEN - at));
    handover_end(writer->handover, writer->whole);
    handover_end(writer->handover, !writer->whole); // the first one counts
    return NULL;
}

static void bytes_arrive_in_order(void)
{
    static const size_t sizes[][3] = {
        { 1, 100, 7 }, { 4096, 1, 5000 }, { 1000, 5000, 33 }, { 65536, 300000, 70000 }
    }; // room, written, read at once
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        Handover *handover = handover_new(sizes[i][0]);
        Writer writer = { .handover = handover, .step = sizes[i][1], .whole = true };
        g_autofree uint8_t *buf = g_malloc(sizes[i][2]);
        pthread_t thread;
        size_t at = 0, len;

        g_assert_cmpint(pthread_create(&thread, NULL, write_all, &writer), ==, 0);
        while (handover_read(handover, buf, sizes[i][2], &len) && len > 0)
            for (size_t k = 0; k < len; k++, at++)
                g_assert_cmpuint(buf[k], ==, byte_at(at));
        g_assert_cmpuint(at, ==, LEN);
        pthread_join(thread, NULL);
        g_assert_true(writer.ok);
        handover_free(handover);
    }
}

static void a_writer_that_gives_up_is_no_end(void)
{
    Handover *handover = handover_new(LEN);
    Writer writer = { .handover = handover, .step = LEN };
    uint8_t byte;
    size_t len;

    write_all(&writer);
    g_assert_false(handover_read(handover, &byte, 1, &len)); // also what came before
    handover_free(handover);
}

static void a_reader_that_leaves_is_told(void)
{
    Handover *handover = handover_new(1000);
    Writer writer = { .handover = handover, .step = 400, .whole = true };
    pthread_t thread;
    uint8_t byte;
    size_t len;

    g_assert_cmpint(pthread_create(&thread, NULL, write_all, &writer), ==, 0);
    g_assert_true(handover_read(handover, &byte, 1, &len));
    handover_leave(handover);
    pthread_join(thread, NULL);
    g_assert_false(writer.ok);
    handover_free(handover);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/handover/order", bytes_arrive_in_order);
    g_test_add_func("/handover/given up", a_writer_that_gives_up_is_no_end);
    g_test_add_func("/handover/left", a_reader_that_leaves_is_told);
    return g_test_run();
}
