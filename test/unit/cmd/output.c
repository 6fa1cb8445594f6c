/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/output.h"
#include "lib/tempdir.h"
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define THREADS 4
#define LINES   3000

static void *print_many(void *arg)
{
    for (int i = 0; i < LINES; i++)
        output_json(json_pack("{s:s, s:i, s:{s:s}}", "message_type", "status", "number", i,
                              "nested", "text", (const char *)arg));
    return NULL;
}

/* What four threads print goes into the file instead of standard output. */
static void print_into(const char *path)
{
    int saved, file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    pthread_t threads[THREADS];

    fflush(stdout);
    saved = dup(STDOUT_FILENO);
    g_assert_cmpint(dup2(file, STDOUT_FILENO), ==, STDOUT_FILENO);
    for (int i = 0; i < THREADS; i++)
        g_assert_cmpint(pthread_create(&threads[i], NULL, print_many, (void *)"words"), ==, 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    fflush(stdout);
    g_assert_cmpint(dup2(saved, STDOUT_FILENO), ==, STDOUT_FILENO);
    close(saved);
    close(file);
}

static void lines_of_several_threads_stay_whole(void)
{
    char *dir = tempdir_new();
    g_autofree char *path = g_build_filename(dir, "out", NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    print_into(path);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, THREADS * LINES + 1);
    for (size_t i = 0; i < THREADS * LINES; i++) {
        json_t *object = json_loads(lines[i], 0, NULL);

        g_assert_nonnull(object);
        json_decref(object);
    }
    tempdir_remove(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/output/threads", lines_of_several_threads_stay_whole);
    return g_test_run();
}
