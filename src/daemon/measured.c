/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/measured.h"

#include "codec/rfc3339.h"

#include <math.h>
#include <string.h>

#define SAMPLE_S   ((int64_t)6 * 3600)   /* between two that are kept */
#define SPAN_S     ((int64_t)14 * 86400) /* growth is that of so long: a month's end is no trend */
#define SPAN_MIN_S ((int64_t)2 * 86400)  /* of less nobody can tell */
#define SAMPLES    (SPAN_S / SAMPLE_S + 4)

const char *measured_word(MeasureKind kind)
{
    static const char *const words[] = {
        [MEASURE_STORE] = "store", [MEASURE_WAY] = "way", [MEASURE_LAG] = "lag"
    };

    return words[kind];
}

char *measured_name(MeasureKind kind, const char *repository, const char *source)
{
    return g_strconcat("measured/", measured_word(kind), "/", repository, source ? "/" : NULL,
                       source, NULL);
}

/* ---- taking ---- */

static const json_t *of_type(const json_t *said, const char *type)
{
    const json_t *object;
    size_t i;

    json_array_foreach((json_t *)said, i, object)
    {
        const char *text = json_string_value(json_object_get(object, "message_type"));

        if (text && strcmp(text, type) == 0)
            return object;
    }
    return NULL;
}

static json_t *ways_of(const json_t *said)
{
    const json_t *summary = of_type(said, "summary"), *object;
    json_t *ways;
    size_t i;

    if (!summary)
        return NULL;
    ways = json_array();
    json_array_foreach((json_t *)said, i, object)
    {
        if (g_strcmp0(json_string_value(json_object_get(object, "message_type")), "wal_way") == 0)
            json_array_append(ways, (json_t *)object);
    }
    return json_pack("{s:o, s:O}", "ways", ways, "summary", summary);
}

/* A new reference; NULL: no answer. A check that has found something wrong is one. */
static json_t *answer_of(MeasureKind kind, const json_t *said)
{
    const json_t *first = json_array_get(said, 0);

    switch (kind) {
    case MEASURE_STORE:
        return json_is_object(json_object_get(first, "places")) ? json_incref((json_t *)first)
                                                                : NULL;
    case MEASURE_LAG:
        return json_incref((json_t *)of_type(said, "wal_lag"));
    case MEASURE_WAY:
        return ways_of(said);
    }
    return NULL;
}

static int64_t sample_at(const json_t *samples, size_t i)
{
    return json_integer_value(json_array_get(json_array_get(samples, i), 0));
}

static json_t *add_sample(const json_t *before, const json_t *told, int64_t now)
{
    const json_t *old = json_object_get(before, "samples");
    const json_t *disk = json_object_get(told, "free_bytes");
    const size_t n = json_array_size(old);
    json_t *samples = json_array();

    for (size_t i = 0; i < n; i++)
        if (sample_at(old, i) > now - SPAN_S && sample_at(old, i) <= now)
            json_array_append(samples, json_array_get(old, i));
    if (json_array_size(samples) == 0 ||
        now - sample_at(samples, json_array_size(samples) - 1) >= SAMPLE_S)
        json_array_append_new(samples, json_pack("[I, I, I]", (json_int_t)now,
                                                 json_integer_value(json_object_get(told, "bytes")),
                                                 disk ? json_integer_value(disk) : (json_int_t)-1));
    while (json_array_size(samples) > SAMPLES)
        json_array_remove(samples, 0);
    return samples;
}

static const char *why_of(const json_t *said, const char *text)
{
    const char *message =
        json_string_value(json_object_get(of_type(said, "exit_error"), "message"));

    return message ? message : text && *text ? text : "it gave no answer";
}

json_t *measured_take(MeasureKind kind, const json_t *before, const json_t *said, int status,
                      const char *text, int64_t now)
{
    json_t *row = json_is_object(before) ? json_copy((json_t *)before) : json_object();
    json_t *told = answer_of(kind, said);

    json_object_set_new(row, "at", json_integer(now));
    json_object_set_new(row, "up", json_boolean(told != NULL));
    json_object_set_new(row, "status", json_integer(status));
    json_object_del(row, "error");
    if (!told) {
        g_autofree char *valid = g_utf8_make_valid(why_of(said, text), -1);

        json_object_set_new(row, "error", json_string(valid));
        return row;
    }
    json_object_set_new(row, "seen", json_integer(now));
    if (kind == MEASURE_STORE)
        json_object_set_new(row, "samples", add_sample(before, told, now));
    json_object_set_new(row, "told", told);
    return row;
}

/* ---- reading ---- */

int64_t measured_at(const json_t *row)
{
    return json_integer_value(json_object_get(row, "at"));
}

bool measured_up(const json_t *row)
{
    return json_is_true(json_object_get(row, "up"));
}

int64_t measured_seen(const json_t *row)
{
    return json_integer_value(json_object_get(row, "seen"));
}

const json_t *measured_told(const json_t *row)
{
    return json_object_get(row, "told");
}

static const json_t *value_at(const json_t *row, const char *path)
{
    g_auto(GStrv) keys = g_strsplit(path, ".", -1);
    const json_t *value = measured_told(row);

    for (char **key = keys; value && *key; key++)
        value = json_object_get(value, *key);
    return value;
}

double measured_number(const json_t *row, const char *path)
{
    const json_t *value = value_at(row, path);

    return json_is_number(value) ? json_number_value(value) : NAN;
}

double measured_time(const json_t *row, const char *path)
{
    const char *text = json_string_value(value_at(row, path));
    Timestamp at;

    return text && rfc3339_parse(text, strlen(text), &at, NULL) ? (double)at.sec : NAN;
}

/* ---- WAL ---- */

const json_t *measured_way(const json_t *way, const json_t *lag)
{
    const char *id = json_string_value(json_object_get(measured_told(lag), "system_identifier"));
    const json_t *ways = json_object_get(measured_told(way), "ways"), *one;
    size_t i;

    json_array_foreach((json_t *)ways, i, one)
    {
        const char *other = json_string_value(json_object_get(one, "system_identifier"));

        if (id && other && strcmp(id, other) == 0)
            return one;
    }
    return NULL;
}

double measured_exposed(const json_t *lag, const json_t *way, int64_t now)
{
    const json_t *gaps = json_object_get(measured_way(way, lag), "gaps");
    const double behind = measured_number(lag, "lag_seconds");

    if (!json_is_integer(gaps) || json_integer_value(gaps) != 0 || isnan(behind))
        return NAN;
    return behind + (double)MAX(now - measured_seen(lag), 0);
}

/* ---- room ---- */

/* What was free then; NAN: not known. */
static double free_then(const json_t *sample, uint64_t quota)
{
    const double bytes = (double)json_integer_value(json_array_get(sample, 1));
    const double disk = (double)json_integer_value(json_array_get(sample, 2));
    const double left = quota > 0 ? (double)quota - bytes : NAN;

    return disk >= 0 && !(left < disk) ? disk : left; // also with a left that is NAN
}

/* Bytes a second by which less is free, by least squares; NAN: not known. */
static double shrinking(const json_t *samples, uint64_t quota)
{
    const size_t n = json_array_size(samples);
    double sum_t = 0, sum_f = 0, sum_tt = 0, sum_tf = 0, slope;

    if (n < 3 || sample_at(samples, n - 1) - sample_at(samples, 0) < SPAN_MIN_S)
        return NAN;
    for (size_t i = 0; i < n; i++) {
        const double t = (double)(sample_at(samples, i) - sample_at(samples, 0));
        const double f = free_then(json_array_get(samples, i), quota);

        sum_t += t;
        sum_f += f;
        sum_tt += t * t;
        sum_tf += t * f;
    }
    slope = ((double)n * sum_tf - sum_t * sum_f) / ((double)n * sum_tt - sum_t * sum_t);
    return -slope;
}

bool measured_room(const json_t *row, uint64_t quota, MeasuredRoom *ret_room)
{
    const double disk = measured_number(row, "free_bytes"),
                 size = measured_number(row, "room_bytes");
    const double left = quota > 0 ? (double)quota - measured_number(row, "bytes") : NAN;
    const double less = shrinking(json_object_get(row, "samples"), quota);
    const bool by_quota = isnan(disk) || left < disk;

    if (isnan(disk) && isnan(left))
        return false;
    ret_room->free = MAX(by_quota ? left : disk, 0);
    ret_room->room = by_quota ? (double)quota : size;
    ret_room->days_left = less > 0 ? ret_room->free / less / 86400 : NAN;
    return true;
}
