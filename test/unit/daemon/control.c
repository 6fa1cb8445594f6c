/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control.h"
#include "../lib/tempdir.h"
#include "base/error.h"
#include "daemon/ask.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
    char *dir, *path;
    Control *control;
} World;

static json_t *answer(const json_t *request, void *user)
{
    const char *op = json_string_value(json_object_get(request, "op"));
    g_autoptr(GError) error = NULL;

    (void)user;
    if (g_strcmp0(op, "twice") == 0)
        return json_pack("{s:b, s:I}", "ok", 1, "n",
                         2 * json_integer_value(json_object_get(request, "n")));
    if (g_strcmp0(op, "much") == 0) {
        g_autofree char *text = g_strnfill(3000000, 'x');

        return json_pack("{s:b, s:s}", "ok", 1, "text", text);
    }
    g_set_error(&error, BS_ERROR, BS_ERROR_LOCKED, "it is locked");
    return control_refusal(error);
}

static void set_up(World *world, gconstpointer data)
{
    (void)data;
    world->dir = tempdir_new();
    world->path = g_build_filename(world->dir, "control.sock", NULL);
    world->control = control_open(world->path, answer, NULL, NULL);
    g_assert_nonnull(world->control);
}

static void tear_down(World *world, gconstpointer data)
{
    (void)data;
    control_free(world->control);
    g_assert_false(g_file_test(world->path, G_FILE_TEST_EXISTS));
    tempdir_remove(world->dir);
    g_free(world->path);
}

/* As long as something comes within a while. */
static void serve(World *world, int wait_ms)
{
    for (;;) {
        g_autoptr(GArray) polls = g_array_new(FALSE, TRUE, sizeof(struct pollfd));

        control_poll(world->control, polls);
        if (poll((struct pollfd *)(void *)polls->data, polls->len, wait_ms) <= 0)
            return;
        control_handle(world->control, (struct pollfd *)(void *)polls->data);
    }
}

static int dial(const World *world)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, world->path, sizeof address.sun_path);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    return fd;
}

static void say(int fd, const char *text)
{
    g_assert_cmpint(send(fd, text, strlen(text), MSG_NOSIGNAL), ==, (gssize)strlen(text));
}

static char *hear(int fd)
{
    char text[4096];
    ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);

    return n < 0 ? g_strdup("nothing") : g_strndup(text, (gsize)n);
}

typedef struct {
    const World *world;
    json_t *request, *answer;
    GError *error;
    atomic_bool done;
} Asking;

static void *ask(void *user)
{
    Asking *asking = user;

    (void)ask_scheduler(asking->world->path, asking->request, 120000, &asking->answer,
                        &asking->error);
    atomic_store(&asking->done, true);
    return NULL;
}

static void asked(World *world, Asking *asking)
{
    pthread_t thread;

    asking->world = world;
    g_assert_cmpint(pthread_create(&thread, NULL, ask, asking), ==, 0);
    while (!atomic_load(&asking->done))
        serve(world, 50);
    pthread_join(thread, NULL);
}

static void a_request_has_one_answer(World *world, gconstpointer data)
{
    Asking good = { .request = json_pack("{s:s, s:i}", "op", "twice", "n", 21) };
    Asking bad = { .request = json_pack("{s:s}", "op", "lock") };
    Asking much = { .request = json_pack("{s:s}", "op", "much") };
    struct stat st;

    (void)data;
    g_assert_cmpint(stat(world->path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0600);
    asked(world, &good);
    g_assert_no_error(good.error);
    g_assert_cmpint(json_integer_value(json_object_get(good.answer, "n")), ==, 42);
    asked(world, &bad);
    g_assert_cmpstr(bad.error->message, ==, "it is locked");
    g_assert_cmpint(bs_error_exit_status(bad.error), ==, 11);
    asked(world, &much);
    g_assert_cmpuint(json_string_length(json_object_get(much.answer, "text")), ==, 3000000);
    json_decref(good.answer);
    json_decref(much.answer);
    g_error_free(bad.error);
}

static void nobody_there_is_said(World *world, gconstpointer data)
{
    g_autofree char *path = g_build_filename(world->dir, "other.sock", NULL);
    g_autoptr(GError) error = NULL;
    json_t *got;

    (void)data;
    g_assert_false(ask_scheduler(path, json_object(), 100, &got, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_UNREACHABLE);
    g_clear_error(&error);
    // somebody listens, and says nothing
    g_assert_false(ask_scheduler(world->path, json_object(), 50, &got, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_UNREACHABLE);
}

static void what_is_no_request_is_refused(World *world, gconstpointer data)
{
    static const char *const lines[] = { "hello\n", "[]\n", "\n", "{\"op\":1,\"op\":2}\n",
                                         "{\"op\":\"twice\"\n" };

    (void)data;
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        int fd = dial(world);
        g_autofree char *got = NULL;

        say(fd, lines[i]);
        serve(world, 50);
        got = hear(fd);
        g_assert_true(g_str_has_prefix(got, "{\"ok\":false,\"code\":1,"));
        (void)close(fd);
    }
}

static void a_line_has_a_bound(World *world, gconstpointer data)
{
    g_autofree char *text = g_strnfill(100000, 'x');
    int fd = dial(world);

    (void)data;
    for (int i = 0; i < 4; i++) {
        (void)send(fd, text, 100000, MSG_NOSIGNAL | MSG_DONTWAIT);
        serve(world, 20);
    }
    g_assert_cmpint(send(fd, text, 1, MSG_NOSIGNAL), ==, -1);
    (void)close(fd);
}

static void listeners_hear_events_and_slow_ones_are_cut_off(World *world, gconstpointer data)
{
    g_autofree char *text = g_strnfill(100000, 'x');
    int listens = dial(world), slow = dial(world), other = dial(world);
    g_autofree char *first = NULL;
    g_autofree char *event = NULL;

    (void)data;
    g_assert_false(control_has_listeners(world->control));
    say(listens, "{\"op\":\"events\"}\n");
    serve(world, 50);
    first = hear(listens);
    g_assert_cmpstr(first, ==, "{\"ok\":true}\n");
    g_assert_true(control_has_listeners(world->control));
    control_tell(world->control, json_pack("{s:s}", "event", "run"));
    event = hear(listens);
    g_assert_cmpstr(event, ==, "{\"event\":\"run\"}\n");
    (void)close(listens);

    say(slow, "{\"op\":\"events\"}\n");
    serve(world, 50);
    for (int i = 0; i < 100; i++)
        control_tell(world->control, json_pack("{s:s}", "event", text));
    serve(world, 50);
    g_assert_false(control_has_listeners(world->control));
    say(other, "{\"op\":\"twice\",\"n\":1}\n");
    serve(world, 50);
    g_free(event);
    event = hear(other);
    g_assert_cmpstr(event, ==, "{\"ok\":true,\"n\":2}\n");
    (void)close(slow);
    (void)close(other);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(World *world, gconstpointer data);
    } tests[] = {
        { "/control/answer", a_request_has_one_answer },
        { "/control/nobody", nobody_there_is_said },
        { "/control/refused", what_is_no_request_is_refused },
        { "/control/bound", a_line_has_a_bound },
        { "/control/events", listeners_hear_events_and_slow_ones_are_cut_off },
    };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, World, NULL, set_up, tests[i].test, tear_down);
    return g_test_run();
}
