/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>

static void errno_becomes_the_code_that_fits(void)
{
    static const struct {
        int errnum;
        int code;
    } cases[] = {
        { ENOENT, BS_ERROR_NOT_FOUND },    { EEXIST, BS_ERROR_EXISTS },
        { EACCES, BS_ERROR_DENIED },       { EPERM, BS_ERROR_DENIED },
        { EROFS, BS_ERROR_DENIED },        { ENOSPC, BS_ERROR_NO_SPACE },
        { EDQUOT, BS_ERROR_NO_SPACE },     { EFBIG, BS_ERROR_NO_SPACE },
        { ECANCELED, BS_ERROR_CANCELLED }, { EOPNOTSUPP, BS_ERROR_UNSUPPORTED },
        { ETIMEDOUT, BS_ERROR_TRANSIENT }, { ECONNRESET, BS_ERROR_TRANSIENT },
        { EIO, BS_ERROR_FAILED },          { ENOTDIR, BS_ERROR_FAILED },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", g_strerror(cases[i].errnum));
        bs_error_errno(&error, cases[i].errnum, "open %s", "x");
        g_assert_error(error, BS_ERROR, cases[i].code);
    }
}

static void errno_text_reads_as_a_sentence(void)
{
    g_autoptr(GError) error = NULL;

    bs_error_errno(&error, ENOENT, "open %s", "/100%s");
    g_assert_cmpstr(error->message, ==, "open /100%s: No such file or directory");
}

static void exit_statuses_are_those_of_the_manual(void)
{
    static const struct {
        int code;
        int want;
    } cases[] = {
        { BS_ERROR_FAILED, 1 },       { BS_ERROR_TRANSIENT, 1 },   { BS_ERROR_NOT_FOUND, 1 },
        { BS_ERROR_EXISTS, 1 },       { BS_ERROR_CORRUPT, 1 },     { BS_ERROR_DENIED, 1 },
        { BS_ERROR_NO_SPACE, 24 },    { BS_ERROR_CANCELLED, 130 }, { BS_ERROR_USAGE, 1 },
        { BS_ERROR_UNSUPPORTED, 1 },  { BS_ERROR_PARTIAL, 3 },     { BS_ERROR_NO_REPO, 10 },
        { BS_ERROR_LOCKED, 11 },      { BS_ERROR_PASSWORD, 12 },   { BS_ERROR_CONFIG, 20 },
        { BS_ERROR_UNREACHABLE, 21 }, { BS_ERROR_AUTH, 22 },       { BS_ERROR_VERSION, 23 },
        { BS_ERROR_NOT_EMPTY, 25 },   { BS_ERROR_MISMATCH, 27 },   { BS_ERROR_GUARD, 28 },
        { BS_ERROR_DESTINATION, 30 }, { BS_ERROR_PROTECTED, 31 },  { BS_ERROR_SOFT_SKIP, 75 },
        { BS_ERROR_WAL_GAP, 26 },     { BS_ERROR_WAL_ABSENT, 1 },
    };
    g_autoptr(GError) foreign = g_error_new_literal(G_FILE_ERROR, BS_ERROR_NO_SPACE, "foreign");

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = g_error_new_literal(BS_ERROR, cases[i].code, "text");

        g_assert_cmpint(bs_error_exit_status(error), ==, cases[i].want);
    }
    g_assert_cmpint(bs_error_exit_status(NULL), ==, 0);
    g_assert_cmpint(bs_error_exit_status(foreign), ==, 1);
}

static void a_wait_travels_with_the_error(void)
{
    g_autoptr(GError) error = g_error_new_literal(BS_ERROR, BS_ERROR_TRANSIENT, "slow down");
    g_autoptr(GError) foreign = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_IO, "foreign");
    g_autoptr(GError) copy = NULL;

    g_assert_cmpint(bs_error_wait_ms(error), ==, 0);
    bs_error_set_wait_ms(error, 1500);
    g_prefix_error(&error, "put: ");
    copy = g_error_copy(error);
    g_assert_cmpint(bs_error_wait_ms(error), ==, 1500);
    g_assert_cmpint(bs_error_wait_ms(copy), ==, 1500);
    bs_error_set_wait_ms(foreign, 1500);
    g_assert_cmpint(bs_error_wait_ms(foreign), ==, 0);
}

static void a_status_of_its_own_travels_with_the_error(void)
{
    g_autoptr(GError) error = g_error_new_literal(BS_ERROR, BS_ERROR_PASSWORD, "wrong");
    g_autoptr(GError) foreign = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_IO, "foreign");

    bs_error_set_exit_status(error, 126);
    g_prefix_error(&error, "open: ");
    g_assert_cmpint(bs_error_exit_status(error), ==, 126);
    bs_error_set_exit_status(foreign, 126);
    g_assert_cmpint(bs_error_exit_status(foreign), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/error/errno-code", errno_becomes_the_code_that_fits);
    g_test_add_func("/error/errno-text", errno_text_reads_as_a_sentence);
    g_test_add_func("/error/exit-status", exit_statuses_are_those_of_the_manual);
    g_test_add_func("/error/wait", a_wait_travels_with_the_error);
    g_test_add_func("/error/own-status", a_status_of_its_own_travels_with_the_error);
    return g_test_run();
}
