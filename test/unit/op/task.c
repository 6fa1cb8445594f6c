/* SPDX-License-Identifier: Apache-2.0 */
#include "op/task.h"
#include "base/error.h"
#include "lib/tempdir.h"

#include <jansson.h>
#include <pthread.h>
#include <string.h>

#define RUN "0123456789abcdef0123456789abcdef"

typedef struct {
    char *dir, *program, *events;
} World;

/* A program that does what its second word says; the first is --json. */
static const char script[] =
    "#!/bin/sh\n"
    "case $2 in\n"
    "good) echo '{\"message_type\":\"status\",\"percent_done\":0.5}'\n"
    "  echo '{\"message_type\":\"summary\",\"total_bytes\":7,\"total_files\":2}'\n"
    "  echo no JSON; echo '{\"ts\":\"t\",\"level\":\"warn\",\"msg\":\"a log\"}' >&2;;\n"
    "bad) echo '{\"message_type\":\"exit_error\",\"code\":25,\"message\":\"it is full\"}' >&2\n"
    "  exit 25;;\n"
    "part) exit 3;;\n"
    "die) kill -9 $$;;\n"
    "wait) trap 'exit 130' TERM; echo '{\"message_type\":\"note\",\"message\":\"waits\"}'\n"
    "  while :; do sleep 0.05; done;;\n"
    "esac\n";

static void set_up(World *world, G_GNUC_UNUSED gconstpointer data)
{
    world->dir = tempdir_new();
    world->program = g_build_filename(world->dir, "program", NULL);
    world->events = g_build_filename(world->dir, "events", NULL);
    tempdir_write(world->dir, "program", script, strlen(script));
    g_assert_cmpint(chmod(world->program, 0700), ==, 0);
}

static void tear_down(World *world, G_GNUC_UNUSED gconstpointer data)
{
    tempdir_remove(world->dir);
    g_free(world->program);
    g_free(world->events);
}

/* steps: a word for each. */
static bool run(World *world, const char *steps, const Cancel *cancel, GError **error)
{
    g_autofree char *path = g_build_filename(world->dir, "spec.json", NULL);
    g_auto(GStrv) words = g_strsplit(steps, " ", -1);
    g_auto(TaskSpec) spec = { 0 };
    json_t *list = json_array(), *all;

    for (char **word = words; *word; word++)
        json_array_append_new(list, json_pack("{s:s, s:[s]}", "stage", *word, "argv", *word));
    all = json_pack("{s:s, s:s, s:o}", "run", RUN, "kind", "restore", "steps", list);
    g_assert_cmpint(json_dump_file(all, path, 0), ==, 0);
    json_decref(all);
    g_assert_true(task_spec_is(path));
    g_assert_true(task_spec_load(path, &spec, NULL));
    return op_task(&spec, world->program, world->events, cancel, error);
}

/* "type type(word) ...": of stages and the end what they say. */
static char *told(World *world)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    GString *all = g_string_new(NULL);

    g_assert_true(g_file_get_contents(world->events, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; **line; line++) {
        json_t *event = json_loads(*line, 0, NULL);
        const char *type = json_string_value(json_object_get(event, "message_type"));
        const char *stage = json_string_value(json_object_get(event, "stage"));
        const char *state = json_string_value(json_object_get(event, "state"));

        g_string_append_printf(all, "%s%s", all->len ? " " : "", type);
        if (stage || state)
            g_string_append_printf(all, "(%s)", stage ? stage : state);
        json_decref(event);
    }
    return g_string_free(all, FALSE);
}

static void commands_become_the_events_of_a_run(World *world, G_GNUC_UNUSED gconstpointer data)
{
    static const struct {
        const char *steps, *events;
        int code;
    } cases[] = {
        { "good", "run_begin stage(good) status result log log run_end(succeeded)", 0 },
        { "good good",
          "run_begin stage(good) status result log log stage(good) result log log "
          "run_end(succeeded)",
          0 },
        { "bad good", "run_begin stage(bad) run_end(failed)", 25 },
        { "part good", "run_begin stage(part) run_end(partial)", 3 },
        { "die", "run_begin stage(die) run_end(failed)", 1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *events = NULL;

        g_test_message("%s", cases[i].steps);
        g_assert_cmpint(run(world, cases[i].steps, NULL, &error), ==, cases[i].code == 0);
        g_assert_cmpint(bs_error_exit_status(error), ==, cases[i].code);
        events = told(world);
        g_assert_cmpstr(events, ==, cases[i].events);
        if (cases[i].code == 25)
            g_assert_cmpstr(error->message, ==, "it is full");
        g_assert_cmpint(unlink(world->events), ==, 0);
    }
}

static void nothing_is_begun_after_the_end(World *world, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(Cancel) cancel = cancel_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *events = NULL;

    cancel_set(cancel);
    g_assert_false(run(world, "wait good", cancel, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    events = told(world);
    g_assert_cmpstr(events, ==, "run_begin run_end(cancelled)");
}

typedef struct {
    const char *events;
    Cancel *cancel;
} Ending;

/* As soon as the command has said something. */
static void *end_it(void *user)
{
    const Ending *ending = user;

    for (int i = 0; i < 60000; i++) {
        g_autofree char *text = NULL;

        if (g_file_get_contents(ending->events, &text, NULL, NULL) && strstr(text, "waits"))
            break;
        g_usleep(1000);
    }
    cancel_set(ending->cancel);
    return NULL;
}

static void a_command_is_asked_to_end(World *world, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(Cancel) cancel = cancel_new();
    Ending ending = { world->events, cancel };
    g_autoptr(GError) error = NULL;
    g_autofree char *events = NULL;
    pthread_t thread;

    g_assert_cmpint(pthread_create(&thread, NULL, end_it, &ending), ==, 0);
    g_assert_false(run(world, "wait good", cancel, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    g_assert_cmpint(bs_error_exit_status(error), ==, 130);
    events = told(world);
    g_assert_cmpstr(events, ==, "run_begin stage(wait) warning run_end(cancelled)");
    pthread_join(thread, NULL);
}

static void what_has_been_is_not_done_again(World *world, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(run(world, "good", NULL, NULL));
    g_assert_false(run(world, "good", NULL, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
}

static void a_spec_that_is_none_is_refused(World *world, G_GNUC_UNUSED gconstpointer data)
{
    static const char *const cases[] = {
        "",
        "{}",
        "{\"run\":\"" RUN "\",\"kind\":\"x\",\"steps\":[]}",
        "{\"run\":\"../x\",\"kind\":\"x\",\"steps\":[{\"stage\":\"s\",\"argv\":[\"a\"]}]}",
        "{\"run\":\"" RUN "\",\"kind\":\"x\",\"steps\":[{\"stage\":\"s\",\"argv\":[]}]}",
        "{\"run\":\"" RUN "\",\"kind\":\"x\",\"steps\":[{\"stage\":\"s\",\"argv\":[1]}]}",
        "{\"run\":\"" RUN "\",\"kind\":\"x\",\"steps\":[{\"argv\":[\"a\"]}]}",
    };
    g_autofree char *path = g_build_filename(world->dir, "spec.json", NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(TaskSpec) spec = { 0 };
        g_autoptr(GError) error = NULL;

        tempdir_write(world->dir, "spec.json", cases[i], strlen(cases[i]));
        g_assert_false(task_spec_load(path, &spec, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CONFIG);
    }
}

#define ADD(name, function) g_test_add("/task/" name, World, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("events", commands_become_the_events_of_a_run);
    ADD("cancelled", nothing_is_begun_after_the_end);
    ADD("asked to end", a_command_is_asked_to_end);
    ADD("once", what_has_been_is_not_done_again);
    ADD("bad specs", a_spec_that_is_none_is_refused);
    return g_test_run();
}
