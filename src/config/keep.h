/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a table that fill a RetentionPolicy; AT() is that of the file which includes this. */
#pragma once
#include "config/types.h"
#include "plan/retention.h"

#define KEEP_LAST(member, default_count)                                                           \
    {                                                                                              \
        "last", FIELD_NUMBER, AT(member.last),                                                     \
            .min = -1, .max = G_MAXINT, .fallback = default_count,                                 \
            .help = "as many of the newest; in all of these -1 is all, and 0 none", .example = "3" \
    }

#define KEEP_REST(member)                                                                          \
    { "hourly",  FIELD_NUMBER,    AT(member.hourly),                                               \
      .min = -1, .max = G_MAXINT, .help = "the last one of as many hours" },                       \
        { "daily",       FIELD_NUMBER,    AT(member.daily),                                        \
          .min = -1,     .max = G_MAXINT, .help = "of as many days",                               \
          .example = "7" },                                                                        \
        { "weekly",      FIELD_NUMBER,    AT(member.weekly),                                       \
          .min = -1,     .max = G_MAXINT, .help = "of as many weeks, from Monday to Sunday",       \
          .example = "4" },                                                                        \
        { "monthly",      FIELD_NUMBER,    AT(member.monthly),                                     \
          .min = -1,      .max = G_MAXINT, .help = "of as many months",                            \
          .example = "12" },                                                                       \
        { "yearly",  FIELD_NUMBER,    AT(member.yearly),                                           \
          .min = -1, .max = G_MAXINT, .help = "of as many years" },                                \
        { "within", FIELD_TEXT, AT(member.within), &type_within,                                   \
          .help = "all of this period before the newest" },                                        \
        { "within_hourly", FIELD_TEXT, AT(member.within_hourly), &type_within,                     \
          .help = "one of each hour of this period" },                                             \
        { "within_daily", FIELD_TEXT, AT(member.within_daily), &type_within,                       \
          .help = "one of each day of this period" },                                              \
        { "within_weekly", FIELD_TEXT, AT(member.within_weekly), &type_within,                     \
          .help = "one of each week of this period" },                                             \
        { "within_monthly", FIELD_TEXT, AT(member.within_monthly), &type_within,                   \
          .help = "one of each month of this period" },                                            \
    {                                                                                              \
        "within_yearly", FIELD_TEXT, AT(member.within_yearly), &type_within,                       \
            .help = "one of each year of this period"                                              \
    }
