/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runhooks.h"

#include "base/clock.h"
#include "base/error.h"
#include <string.h>

#define LONG_MS 120000

static char *const sources[] = { (char *)"files", (char *)"database", NULL };

static void remember(const char *text, void *user)
{
    g_string_append_printf(user, "%s|", text);
}

static HookRun hook(GString *said)
{
    return (HookRun){ .run = "0123",
                      .schedule = "nightly",
                      .state = "running",
                      .sources = sources,
                      .timeout_ms = LONG_MS,
                      .line = remember,
                      .user = said };
}

static void the_exit_status_decides(void)
{
    static const struct {
        const char *label, *command;
        bool want;
        int code;
    } cases[] = {
        { "0 is fine", "true", true, 0 },
        { "75 skips the run", "exit 75", false, BS_ERROR_SOFT_SKIP },
        { "another one fails it", "exit 3", false, BS_ERROR_FAILED },
        { "so does a signal", "kill -9 $$", false, BS_ERROR_FAILED },
        { "and a command that is not there", "/nowhere/at/all", false, BS_ERROR_FAILED },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) said = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        HookRun run = hook(said);

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(hook_run("before hook 1", cases[i].command, &run, &error), ==,
                        cases[i].want);
        if (cases[i].want)
            continue;
        g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_true(g_str_has_prefix(error->message, "before hook 1: "));
    }
}

static void what_it_prints_is_told_line_by_line(void)
{
    g_autoptr(GString) said = g_string_new(NULL);
    HookRun run = hook(said);

    g_assert_true(hook_run("h", "echo one; echo two >&2; printf 'no end'", &run, NULL));
    g_assert_cmpstr(said->str, ==, "one|two|no end|");
    g_string_truncate(said, 0);
    g_assert_true(hook_run("h",
                           "echo $BACKSTAY_RUN $BACKSTAY_SCHEDULE $BACKSTAY_STATE; "
                           "echo $BACKSTAY_SOURCES",
                           &run, NULL));
    g_assert_cmpstr(said->str, ==, "0123 nightly running|files database|");
}

static void what_it_prints_has_a_bound(void)
{
    g_autoptr(GString) said = g_string_new(NULL);
    HookRun run = hook(said);

    g_assert_true(hook_run(
        "h", "head -c 3000000 /dev/zero | tr '\\0' x; echo; yes | head -n 100000", &run, NULL));
    g_assert_cmpuint(said->len, >, HOOK_OUTPUT_MAX / 2);
    g_assert_cmpuint(said->len, <, 2 * HOOK_OUTPUT_MAX);
    g_assert_true(g_str_has_suffix(said->str, "(it prints more, which is left out)|"));
}

static void it_is_ended_when_it_takes_too_long(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) said = g_string_new(NULL);
    HookRun run = hook(said);
    int64_t started = clock_monotonic_ms();

    run.timeout_ms = 300;
    g_assert_false(hook_run("h", "sleep 1000 & wait", &run, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
    g_assert_cmpint(clock_monotonic_ms() - started, <, LONG_MS);
}

static void it_is_ended_when_the_run_is_cancelled(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) said = g_string_new(NULL);
    g_autoptr(Cancel) cancel = cancel_new();
    HookRun run = hook(said);

    run.cancel = cancel;
    cancel_set(cancel);
    g_assert_false(hook_run("h", "sleep 1000", &run, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
}

/* A hook may start something that stays. */
static void what_it_leaves_running_holds_up_nothing(void)
{
    g_autoptr(GString) said = g_string_new(NULL);
    HookRun run = hook(said);
    g_autofree char *kill = NULL;

    g_assert_true(hook_run("h", "sleep 1000 & echo $!", &run, NULL));
    g_strdelimit(said->str, "|", ' ');
    kill = g_strdup_printf("kill %s", said->str);
    g_assert_true(hook_run("h", kill, &run, NULL)); // it was alive
}

static void secrets_stay_with_us(void)
{
    static const char *const given[] = {
        "PATH=/bin",
        "HOME=/root",
        "PGHOST=db",
        "PGPASSFILE=/x",
        "KUBECONFIG=/k",
        "EMPTY=",
        "BACKSTAY_PASSWORD=s",
        "BACKSTAY_S3_SECRET_KEY=s",
        "RESTIC_REPOSITORY=s",
        "RESTIC_PASSWORD=s",
        "AWS_SECRET_ACCESS_KEY=s",
        "AWS_SESSION_TOKEN=s",
        "BACKUP_ENCRYPTION_KEY=s",
        "PGPASSWORD=s",
        "REDIS_URL=s",
        "DATA_SOURCE_PASS=s",
        "POSTGRES_PASSWORD=s",
        "CREDENTIALS_DIRECTORY=s",
        "my_api_key=s",
        "SMTP_PASSWORD_FILE=s",
        "NOTIFY_SOCKET=s",
        "MINE=s",
        NULL,
    };
    static char *const hidden[] = { (char *)"MINE", NULL };
    HookRun run = {
        .run = "r", .schedule = "n", .state = "running", .sources = sources, .hidden = hidden
    };
    g_auto(GStrv) kept = hook_environment((char *const *)given, &run);
    g_autofree char *text = g_strjoinv(",", kept);

    g_assert_cmpstr(text, ==,
                    "PATH=/bin,HOME=/root,PGHOST=db,PGPASSFILE=/x,KUBECONFIG=/k,EMPTY=,"
                    "BACKSTAY_RUN=r,BACKSTAY_SCHEDULE=n,BACKSTAY_STATE=running,"
                    "BACKSTAY_SOURCES=files database");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/runhooks/status", the_exit_status_decides);
    g_test_add_func("/runhooks/output", what_it_prints_is_told_line_by_line);
    g_test_add_func("/runhooks/bound", what_it_prints_has_a_bound);
    g_test_add_func("/runhooks/timeout", it_is_ended_when_it_takes_too_long);
    g_test_add_func("/runhooks/cancel", it_is_ended_when_the_run_is_cancelled);
    g_test_add_func("/runhooks/background", what_it_leaves_running_holds_up_nothing);
    g_test_add_func("/runhooks/environment", secrets_stay_with_us);
    return g_test_run();
}
