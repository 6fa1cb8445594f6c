/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runlocks.h"

#include "base/error.h"
#include "op/runlockpg.h"

#include "lib/tempdir.h"

static RunLocks *take(const char *schedule, const char *dir, GError **error)
{
    RunLocksRequest request = { .schedule = schedule, .state_dir = dir };
    RunLocks *locks = NULL;

    g_assert_cmpint(run_locks_acquire(&request, &locks, error), ==, locks != NULL);
    return locks;
}

static void a_schedule_runs_once_on_a_machine(void)
{
    char *dir = tempdir_new();
    g_autofree char *state = g_build_filename(dir, "not", "there", "yet", NULL);
    g_autoptr(RunLocks) first = take("nightly", state, NULL);
    g_autoptr(RunLocks) other = take("../hour/ly", state, NULL);
    g_autoptr(RunLocks) again = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(first);
    g_assert_nonnull(other); // another schedule, and no way out of the directory
    g_assert_cmpuint(tempdir_n_files(state), ==, 2);
    g_assert_null(take("nightly", state, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_LOCKED);
    g_assert_true(run_locks_check(first, NULL));
    g_clear_pointer(&first, run_locks_release);
    again = take("nightly", state, NULL);
    g_assert_nonnull(again);
    g_clear_pointer(&again, run_locks_release);
    g_clear_pointer(&other, run_locks_release);
    tempdir_remove(dir);
}

/* Of Python: int.from_bytes(hashlib.sha256(text).digest()[:8], 'big', signed=True) */
static void the_key_is_the_documented_one(void)
{
    g_assert_cmpint(pg_lock_key("nightly"), ==, INT64_C(-5516908712560224874));
    g_assert_cmpint(pg_lock_key("hourly"), ==, INT64_C(7449837193289448932));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/runlocks/local", a_schedule_runs_once_on_a_machine);
    g_test_add_func("/runlocks/key", the_key_is_the_documented_one);
    return g_test_run();
}
