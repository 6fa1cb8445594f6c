/* SPDX-License-Identifier: Apache-2.0 */
#include "op/recoverytarget.h"

#include "base/error.h"
#include "pg/walname.h"
#include "plan/wall.h"
#include <string.h>

#define DAY_SECONDS  86400
#define OFFSET_MAX   (16 * 3600) /* PostgreSQL takes less than 16 hours */
#define NAME_MAX_LEN 63u         /* pg_create_restore_point() */

static bool wrong(const char *option, const char *text, const char *problem, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--%s %s: %s", option, text, problem);
    return false;
}

/* ---- times ---- */

/* Exactly n digits. */
static bool take_number(const char **at, int n, int *ret_value)
{
    int value = 0;

    for (int i = 0; i < n; i++) {
        if (!g_ascii_isdigit((*at)[i]))
            return false;
        value = value * 10 + ((*at)[i] - '0');
    }
    *at += n;
    *ret_value = value;
    return true;
}

static bool take_char(const char **at, char wanted)
{
    if (**at != wanted)
        return false;
    ++*at;
    return true;
}

/* What is behind the sixth digit is cut, so that a time never lies later than it was said. */
static bool take_fraction(const char **at, int *ret_us)
{
    int us = 0, unit = 100000;

    *ret_us = 0;
    if (!take_char(at, '.'))
        return true;
    if (!g_ascii_isdigit(**at))
        return false;
    for (; g_ascii_isdigit(**at); ++*at, unit /= 10)
        us += (**at - '0') * unit;
    *ret_us = us;
    return true;
}

/* "10:00:00.5", "10:00"; seconds of the day. */
static bool take_time_of_day(const char **at, int *ret_seconds, int *ret_us)
{
    int hour, minute, second = 0;

    *ret_us = 0;
    if (!take_number(at, 2, &hour) || !take_char(at, ':') || !take_number(at, 2, &minute))
        return false;
    if (take_char(at, ':') && (!take_number(at, 2, &second) || !take_fraction(at, ret_us)))
        return false;
    *ret_seconds = (hour * 60 + minute) * 60 + second;
    return hour < 24 && minute < 60 && second < 60;
}

/* "Z", "UTC", "+01", "-0330", "+05:45"; ret_given: false when there is none. */
static bool take_zone(const char **at, int *ret_offset, bool *ret_given)
{
    bool west = **at == '-';
    int hours, minutes = 0;

    *ret_offset = 0;
    *ret_given = **at != '\0';
    while (take_char(at, ' '))
        ;
    if (g_ascii_strcasecmp(*at, "z") == 0 || g_ascii_strcasecmp(*at, "utc") == 0) {
        *at += strlen(*at);
        return true;
    }
    west = **at == '-';
    if (**at == '\0')
        return true;
    if (!take_char(at, west ? '-' : '+') || !take_number(at, 2, &hours))
        return false;
    (void)take_char(at, ':');
    if (**at && !take_number(at, 2, &minutes))
        return false;
    *ret_offset = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
    return minutes < 60 && ABS(*ret_offset) < OFFSET_MAX;
}

/* The moments at which a clock on the wall here shows wall: none in a gap, two in an overlap. */
static unsigned local_moments(int64_t wall, GTimeZone *zone, int64_t *ret_first)
{
    const int64_t around[] = { wall - DAY_SECONDS, wall + DAY_SECONDS };
    int64_t found[G_N_ELEMENTS(around)];
    unsigned n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(around); i++) {
        int64_t at = wall - (wall_from_time(around[i], zone) - around[i]);

        if (wall_from_time(at, zone) == wall && (n == 0 || found[0] != at))
            found[n++] = at;
    }
    *ret_first = n ? found[0] : 0;
    return n;
}

static bool resolve_local(const char *text, int64_t wall, int64_t *ret_at, GError **error)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_local();

    switch (local_moments(wall, zone, ret_at)) {
    case 1:
        return true;
    case 0:
        return wrong("target-time", text,
                     "this hour does not exist here, the clocks are put forward; add the zone, "
                     "such as +00",
                     error);
    default:
        return wrong("target-time", text,
                     "this hour comes twice here, the clocks are put back; add the zone, such as "
                     "+00",
                     error);
    }
}

bool recovery_time_parse(const char *text, int64_t *ret_time_us, bool *ret_local, GError **error)
{
    static const char shape[] = "not a time such as 2026-11-21T10:00:00Z or \"2026-11-21 "
                                "10:00:00+01\"";
    const char *at = text;
    int year, month, day, seconds = 0, us = 0, offset = 0;
    bool has_zone = false;
    g_autoptr(GDateTime) midnight = NULL;
    int64_t wall;

    if (!take_number(&at, 4, &year) || !take_char(&at, '-') || !take_number(&at, 2, &month) ||
        !take_char(&at, '-') || !take_number(&at, 2, &day))
        return wrong("target-time", text, shape, error);
    if (*at && ((!take_char(&at, 'T') && !take_char(&at, ' ')) ||
                !take_time_of_day(&at, &seconds, &us) || !take_zone(&at, &offset, &has_zone)))
        return wrong("target-time", text, shape, error);
    midnight = g_date_time_new_utc(year, month, day, 0, 0, 0);
    if (*at || !midnight)
        return wrong("target-time", text, shape, error);
    wall = g_date_time_to_unix(midnight) + seconds;
    if (has_zone)
        wall -= offset;
    else if (!resolve_local(text, wall, &wall, error))
        return false;
    *ret_time_us = wall * G_USEC_PER_SEC + us;
    *ret_local = !has_zone;
    return true;
}

/* ---- the others ---- */

static bool parse_target(const RecoveryWords *words, RecoveryTarget *target, GError **error)
{
    WalTarget *to = &target->target;
    guint64 xid;

    if (words->time) {
        to->kind = WAL_TARGET_TIME;
        return recovery_time_parse(words->time, &to->time_us, &target->local, error);
    }
    if (words->lsn) {
        to->kind = WAL_TARGET_LSN;
        return lsn_parse(words->lsn, &to->lsn) ||
               wrong("target-lsn", words->lsn, "not a position such as 16/B374D848", error);
    }
    if (words->xid) {
        to->kind = WAL_TARGET_XID;
        // with its epoch in the upper half, as pg_current_xact_id() gives it: PostgreSQL cuts it,
        // too
        if (!g_ascii_string_to_unsigned(words->xid, 10, 3, UINT64_MAX, &xid, NULL) ||
            (uint32_t)xid < 3)
            return wrong("target-xid", words->xid, "not the number of a transaction", error);
        to->xid = (uint32_t)xid;
        return true;
    }
    if (words->name) {
        to->kind = WAL_TARGET_NAME;
        to->name = words->name;
        return (*words->name && strlen(words->name) <= NAME_MAX_LEN) ||
               wrong("target-name", words->name, "not the name of a restore point", error);
    }
    to->kind = words->immediate ? WAL_TARGET_IMMEDIATE : WAL_TARGET_NONE;
    return true;
}

static bool parse_timeline(const char *text, RecoveryTarget *target, GError **error)
{
    guint64 number;

    if (!text || strcmp(text, "latest") == 0) {
        target->way = RECOVERY_TIMELINE_LATEST;
        return true;
    }
    if (strcmp(text, "current") == 0) {
        target->way = RECOVERY_TIMELINE_CURRENT;
        return true;
    }
    if (!g_ascii_string_to_unsigned(text, 10, 1, UINT32_MAX, &number, NULL))
        return wrong("target-timeline", text, "must be latest, current or a number", error);
    target->way = RECOVERY_TIMELINE;
    target->timeline = (uint32_t)number;
    return true;
}

static const char *const action_words[] = {
    [RECOVERY_PAUSE] = "pause",
    [RECOVERY_PROMOTE] = "promote",
    [RECOVERY_SHUTDOWN] = "shutdown",
};

const char *recovery_action_text(RecoveryAction action)
{
    return action_words[action];
}

static bool parse_action(const RecoveryWords *words, RecoveryTarget *target, GError **error)
{
    // who wants all there is wants to go on with it
    target->action = words->latest ? RECOVERY_PROMOTE : RECOVERY_PAUSE;
    if (!words->action)
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(action_words); i++)
        if (strcmp(words->action, action_words[i]) == 0) {
            target->action = (RecoveryAction)i;
            return true;
        }
    return wrong("target-action", words->action, "must be pause, promote or shutdown", error);
}

static unsigned count_targets(const RecoveryWords *words)
{
    return !!words->time + !!words->lsn + !!words->xid + !!words->name + words->immediate +
           words->latest;
}

bool recovery_words_given(const RecoveryWords *words)
{
    return count_targets(words) > 0 || words->exclusive || words->timeline || words->action;
}

bool recovery_target_parse(const RecoveryWords *words, RecoveryTarget *ret_target, GError **error)
{
    RecoveryTarget target = { .target.exclusive = words->exclusive };

    if (count_targets(words) != 1) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "say where the recovery shall stop, and only once: --target-time, "
                    "--target-lsn, --target-xid, --target-name, --target-immediate or "
                    "--target-latest");
        return false;
    }
    if (words->exclusive && !words->time && !words->lsn && !words->xid) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--target-exclusive goes with --target-time, --target-lsn and --target-xid");
        return false;
    }
    if (!parse_target(words, &target, error) || !parse_timeline(words->timeline, &target, error) ||
        !parse_action(words, &target, error))
        return false;
    *ret_target = target;
    return true;
}
