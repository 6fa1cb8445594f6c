/* SPDX-License-Identifier: Apache-2.0 */
#include "state/runstate.h"
#include "base/error.h"

static void every_state_has_a_word_that_is_read_back(void)
{
    for (RunState state = RUN_QUEUED; state <= RUN_SKIPPED; state++) {
        RunState read = RUN_SKIPPED + 1;

        g_assert_true(run_state_parse(run_state_name(state), &read, NULL));
        g_assert_cmpint(read, ==, state);
        g_assert_cmpint(run_state_ended(state), ==, state > RUN_RUNNING);
    }
}

static void every_trigger_has_a_word_that_is_read_back(void)
{
    for (RunTrigger trigger = TRIGGER_SCHEDULE; trigger <= TRIGGER_RETRY; trigger++) {
        RunTrigger read = TRIGGER_RETRY + 1;

        g_assert_true(run_trigger_parse(run_trigger_name(trigger), &read, NULL));
        g_assert_cmpint(read, ==, trigger);
    }
}

static void other_words_are_refused(void)
{
    g_autoptr(GError) error = NULL;
    RunState state;
    RunTrigger trigger;

    g_assert_false(run_state_parse("Running", &state, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_clear_error(&error);
    g_assert_false(run_trigger_parse("", &trigger, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/runstate/states", every_state_has_a_word_that_is_read_back);
    g_test_add_func("/runstate/triggers", every_trigger_has_a_word_that_is_read_back);
    g_test_add_func("/runstate/other-words", other_words_are_refused);
    return g_test_run();
}
