/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "plan/cron.h"
#include <string.h>

typedef struct {
    const char *name;
    unsigned first, last;
    const char *const *names; /* of first, first + 1, ... three letters each; NULL: none */
    unsigned n_names;
} Field;

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun",
                                           "jul", "aug", "sep", "oct", "nov", "dec" };
static const char *const weekday_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, N_FIELDS };

static const Field fields[N_FIELDS] = {
    [MINUTE] = { "minute", 0, 59, NULL, 0 },
    [HOUR] = { "hour", 0, 23, NULL, 0 },
    [DAY] = { "day of the month", 1, 31, NULL, 0 },
    [MONTH] = { "month", 1, 12, month_names, G_N_ELEMENTS(month_names) },
    [WEEKDAY] = { "day of the week", 0, 7, weekday_names, G_N_ELEMENTS(weekday_names) },
};

static const struct {
    const char *name, *fields;
} presets[] = {
    { "@hourly", "0 * * * *" },   { "@daily", "0 0 * * *" },   { "@midnight", "0 0 * * *" },
    { "@weekly", "0 0 * * 0" },   { "@monthly", "0 0 1 * *" }, { "@yearly", "0 0 1 1 *" },
    { "@annually", "0 0 1 1 *" },
};

static bool refuse(const Field *field, const char *text, const char *why, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "%s \"%s\": %s; write numbers from %u to %u%s, ranges (a-b), steps (*/n, a-b/n) "
                "and lists of these (a,b)",
                field->name, text, why, field->first, field->last,
                field->names ? " or names of three letters" : "");
    return false;
}

static bool parse_number(const char **at, unsigned *ret_number)
{
    unsigned number = 0, digits = 0;

    for (; g_ascii_isdigit(**at); (*at)++, digits++) {
        if (digits == 4)
            return false;
        number = number * 10 + (unsigned)(**at - '0');
    }
    *ret_number = number;
    return digits > 0;
}

static bool parse_value(const Field *field, const char **at, unsigned *ret_value)
{
    for (unsigned i = 0; i < field->n_names; i++)
        if (g_ascii_strncasecmp(*at, field->names[i], 3) == 0 && !g_ascii_isalpha((*at)[3])) {
            *at += 3;
            *ret_value = field->first + i;
            return true;
        }
    return parse_number(at, ret_value) && *ret_value >= field->first && *ret_value <= field->last;
}

/* The last of a range. Sunday may be its end. */
static bool parse_end(const Field *field, const char **at, unsigned first, unsigned *ret_last)
{
    if (!parse_value(field, at, ret_last))
        return false;
    if (field == &fields[WEEKDAY] && *ret_last == 0 && first > 0)
        *ret_last = 7;
    return true;
}

/* "*", "a", "a-b", each but "a" with "/n". */
static bool parse_item(const Field *field, const char *text, uint64_t *bits, GError **error)
{
    const char *at = text;
    unsigned first = field->first, last = field == &fields[WEEKDAY] ? 6 : field->last, step = 1;
    bool single = false;

    if (*at == '*') {
        at++;
    } else {
        if (!parse_value(field, &at, &first))
            return refuse(field, text, "not a value of this field", error);
        last = first;
        single = *at != '-';
        if (!single) {
            at++;
            if (!parse_end(field, &at, first, &last))
                return refuse(field, text, "not a range of this field", error);
        }
    }
    if (last < first)
        return refuse(field, text, "the range goes backwards", error);
    if (*at == '/') {
        if (single)
            return refuse(field, text, "a step needs a range or *", error);
        at++;
        if (!parse_number(&at, &step) || step == 0)
            return refuse(field, text, "not a step", error);
    }
    if (*at)
        return refuse(field, text, "not understood", error);
    for (unsigned value = first; value <= last; value += step)
        *bits |= UINT64_C(1) << value;
    return true;
}

static bool parse_field(const Field *field, const char *text, uint64_t *ret_bits, GError **error)
{
    g_auto(GStrv) items = g_strsplit(text, ",", -1);

    *ret_bits = 0;
    for (char **item = items; *item; item++)
        if (!parse_item(field, *item, ret_bits, error))
            return false;
    return true;
}

static const char *expand(const char *text)
{
    for (size_t i = 0; i < G_N_ELEMENTS(presets); i++)
        if (g_ascii_strcasecmp(text, presets[i].name) == 0)
            return presets[i].fields;
    return text;
}

/* The words between white space. */
static GPtrArray *split(char *text)
{
    GPtrArray *words = g_ptr_array_new();

    for (char *word = strtok_r(text, " \t\n", &text); word; word = strtok_r(NULL, " \t\n", &text))
        g_ptr_array_add(words, word);
    return words;
}

bool cron_parse(const char *text, Cron *ret_cron, GError **error)
{
    g_autofree char *stripped = g_strstrip(g_strdup(text));
    g_autofree char *copy = g_strdup(expand(stripped));
    g_autoptr(GPtrArray) words = split(copy);
    uint64_t bits[N_FIELDS];

    if (words->len != N_FIELDS) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "\"%s\": a schedule has five fields (minute, hour, day of the month, month, "
                    "day of the week) or is @hourly, @daily, @weekly, @monthly or @yearly",
                    text);
        return false;
    }
    for (unsigned i = 0; i < N_FIELDS; i++)
        if (!parse_field(&fields[i], words->pdata[i], &bits[i], error)) {
            g_prefix_error(error, "\"%s\": ", text);
            return false;
        }
    *ret_cron = (Cron){
        .minutes = bits[MINUTE],
        .hours = (uint32_t)bits[HOUR],
        .days = (uint32_t)bits[DAY],
        .months = (uint32_t)bits[MONTH],
        .weekdays = (uint32_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f), // 7 is Sunday, too
        .either_day = *(char *)words->pdata[DAY] != '*' && *(char *)words->pdata[WEEKDAY] != '*',
        .elapsed = *(char *)words->pdata[MINUTE] == '*' || *(char *)words->pdata[HOUR] == '*',
    };
    return true;
}
