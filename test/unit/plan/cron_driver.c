/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For cron_oracle.py: reads lines "ZONE AFTER UNTIL MINUTE HOUR DAY MONTH WEEKDAY" and answers each
 * with the times at which that pattern is due in between, as Unix seconds on one line.
 */
#include "plan/cron.h"
#include <inttypes.h>
#include <stdio.h>

static void answer(char *line)
{
    g_auto(GStrv) words = g_strsplit(g_strchomp(line), " ", 4);
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(words[0]);
    int64_t at = g_ascii_strtoll(words[1], NULL, 10), until = g_ascii_strtoll(words[2], NULL, 10);
    Cron cron;

    g_assert_nonnull(zone);
    g_assert_true(cron_parse(words[3], &cron, NULL));
    while (cron_next(&cron, zone, at, &at) && at <= until)
        printf("%" PRId64 " ", at);
    putchar('\n');
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0)
        answer(line);
    free(line);
    return 0;
}
