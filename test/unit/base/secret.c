/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void holds_a_terminated_copy(void)
{
    char mine[] = "s3cr\0et";
    g_autoptr(Secret) secret = secret_new(mine, sizeof mine - 1);
    g_autoptr(Secret) empty = secret_new(NULL, 0);

    secret_wipe(mine, sizeof mine);
    for (size_t i = 0; i < sizeof mine; i++)
        g_assert_cmpint(mine[i], ==, 0);
    g_assert_cmpmem(secret_data(secret), secret_len(secret) + 1, "s3cr\0et", 8);
    g_assert_cmpuint(secret_len(empty), ==, 0);
    g_assert_cmpstr(secret_data(empty), ==, "");
}

static void may_be_longer_than_a_page(void)
{
    g_autofree char *mine = g_strnfill(100000, 'x');
    g_autoptr(Secret) secret = secret_new(mine, 100000);

    g_assert_cmpstr(secret_data(secret), ==, mine);
}

/* The VmFlags line of the mapping that holds address; proc(5), "smaps". */
static char *mapping_flags(const void *address)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    bool inside = false;

    g_assert_true(g_file_get_contents("/proc/self/smaps", &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        char *end = NULL;
        guint64 from = g_ascii_strtoull(*line, &end, 16);

        if (end > *line && *end == '-')
            inside = from <= (uintptr_t)address &&
                     (uintptr_t)address < g_ascii_strtoull(end + 1, NULL, 16);
        if (inside && g_str_has_prefix(*line, "VmFlags:"))
            return g_strconcat(*line, " ", NULL);
    }
    return NULL;
}

/* Not for every user, and sanitizers make a mlock() that does nothing. */
static bool can_lock(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool locked = mlock(memory, page) == 0;
    g_autofree char *flags = mapping_flags(memory);

    (void)munmap(memory, page);
    return locked && flags && strstr(flags, " lo ");
}

static void stays_out_of_core_dumps_and_swap(void)
{
    g_autoptr(Secret) secret = secret_new("s3cret", 6);
    g_autofree char *flags = mapping_flags(secret_data(secret));

    if (!flags) {
        g_test_fail_printf("no VmFlags in /proc/self/smaps");
        return;
    }
    g_assert_nonnull(strstr(flags, " dd "));
    g_assert_cmpint(strstr(flags, " lo ") != NULL, ==, can_lock());
}

static void cannot_be_written(void)
{
    g_autoptr(Secret) secret = secret_new("s3cret", 6);
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        (void)close(STDERR_FILENO); // a sanitizer would report what we expect
        *(volatile char *)secret_data(secret) = 'x';
        _exit(0);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, !=, 0);
    g_assert_cmpstr(secret_data(secret), ==, "s3cret");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/secret/copy", holds_a_terminated_copy);
    g_test_add_func("/secret/long", may_be_longer_than_a_page);
    g_test_add_func("/secret/memory", stays_out_of_core_dumps_and_swap);
    g_test_add_func("/secret/read-only", cannot_be_written);
    return g_test_run();
}
