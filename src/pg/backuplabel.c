/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/backuplabel.h"
#include "base/error.h"
#include "pg/walname.h"
#include <string.h>

typedef enum {
    LINE_START,
    LINE_STOP,
    LINE_CHECKPOINT,
    LINE_METHOD,
    LINE_FROM,
    LINE_STARTED,
    LINE_LABEL,
    LINE_TIMELINE,
    LINE_STOPPED,
    LINE_STOP_TIMELINE,
    LINE_INCREMENTAL,
    LINE_INCREMENTAL_TIMELINE,
} Line;

static const struct {
    Line line;
    const char *key;
} lines[] = {
    { LINE_START, "START WAL LOCATION: " },
    { LINE_STOP, "STOP WAL LOCATION: " },
    { LINE_CHECKPOINT, "CHECKPOINT LOCATION: " },
    { LINE_METHOD, "BACKUP METHOD: " },
    { LINE_FROM, "BACKUP FROM: " },
    { LINE_STARTED, "START TIME: " },
    { LINE_LABEL, "LABEL: " },
    { LINE_TIMELINE, "START TIMELINE: " },
    { LINE_STOPPED, "STOP TIME: " },
    { LINE_STOP_TIMELINE, "STOP TIMELINE: " },
    { LINE_INCREMENTAL, "INCREMENTAL FROM LSN: " },
    { LINE_INCREMENTAL_TIMELINE, "INCREMENTAL FROM TLI: " },
};

#define NEEDED                                                                                     \
    (1u << LINE_START | 1u << LINE_CHECKPOINT | 1u << LINE_METHOD | 1u << LINE_FROM |              \
     1u << LINE_STARTED | 1u << LINE_LABEL | 1u << LINE_TIMELINE)

void backup_label_free(BackupLabel *label)
{
    if (!label)
        return;
    g_free(label->label);
    g_free(label->started);
    g_free(label->stopped);
    g_free(label);
}

static bool parse_u32(const char *text, uint32_t *ret_value)
{
    guint64 value;

    if (!g_ascii_string_to_unsigned(text, 10, 1, UINT32_MAX, &value, NULL))
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

/* "0/D00028 (file 00000001000000000000000D)" */
static bool parse_place(const char *text, uint64_t *ret_lsn)
{
    size_t len = strcspn(text, " ");
    g_autofree char *file = NULL;
    WalName name;

    if (!lsn_parse_len(text, len, ret_lsn) || !g_str_has_prefix(text + len, " (file ") ||
        !g_str_has_suffix(text, ")"))
        return false;
    text += len + strlen(" (file ");
    file = g_strndup(text, strlen(text) - 1);
    // a stop at the begin of a segment is named by the one before
    return wal_name_parse(file, &name, NULL) && name.kind == WAL_SEGMENT &&
           (name.high == *ret_lsn >> 32 || name.high + 1 == *ret_lsn >> 32);
}

static bool parse_word(const char *text, const char *no, const char *yes, bool *ret_yes)
{
    *ret_yes = strcmp(text, yes) == 0;
    return *ret_yes || strcmp(text, no) == 0;
}

static bool take_line(BackupLabel *label, Line line, const char *value)
{
    switch (line) {
    case LINE_START:
        return parse_place(value, &label->start);
    case LINE_STOP:
        return parse_place(value, &label->stop);
    case LINE_CHECKPOINT:
        return lsn_parse(value, &label->checkpoint);
    case LINE_METHOD:
        return parse_word(value, "pg_start_backup", "streamed", &label->streamed);
    case LINE_FROM:
        return parse_word(value, "primary", "standby", &label->from_standby) ||
               strcmp(value, "master") == 0;
    case LINE_STARTED:
        label->started = g_strdup(value);
        return true;
    case LINE_LABEL:
        label->label = g_strdup(value);
        return true;
    case LINE_TIMELINE:
        return parse_u32(value, &label->timeline);
    case LINE_STOPPED:
        label->stopped = g_strdup(value);
        return true;
    case LINE_STOP_TIMELINE:
        return parse_u32(value, &label->stop_timeline);
    case LINE_INCREMENTAL:
        return lsn_parse(value, &label->incremental_from);
    case LINE_INCREMENTAL_TIMELINE:
        return parse_u32(value, &label->incremental_timeline);
    }
    return false;
}

/* NULL when all is well. */
static const char *add_line(BackupLabel *label, const char *text, unsigned *seen)
{
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        if (!g_str_has_prefix(text, lines[i].key))
            continue;
        if (*seen & 1u << lines[i].line)
            return "the same again";
        *seen |= 1u << lines[i].line;
        return take_line(label, lines[i].line, text + strlen(lines[i].key)) ? NULL
                                                                            : "cannot be read";
    }
    return "not known";
}

static const char *check_whole(const BackupLabel *label, unsigned seen)
{
    const unsigned stop = 1u << LINE_STOP | 1u << LINE_STOPPED | 1u << LINE_STOP_TIMELINE;
    const unsigned incremental = 1u << LINE_INCREMENTAL | 1u << LINE_INCREMENTAL_TIMELINE;

    if ((seen & NEEDED) != NEEDED || (seen & stop && (seen & stop) != stop) ||
        (seen & incremental && (seen & incremental) != incremental))
        return "a line is missing";
    if (label->checkpoint < label->start || (label->stop && label->stop < label->start) ||
        (label->stop_timeline && label->stop_timeline < label->timeline))
        return "its positions do not fit each other";
    return NULL;
}

BackupLabel *backup_label_parse(const char *text, size_t len, GError **error)
{
    g_autoptr(BackupLabel) label = g_new0(BackupLabel, 1);
    g_autofree char *copy = g_strndup(text, len);
    g_auto(GStrv) all = g_strsplit(copy, "\n", -1);
    const char *problem = memchr(text, '\0', len) ? "a zero byte" : NULL;
    unsigned seen = 0;
    guint n;

    for (n = 0; !problem && all[n]; n++)
        if (*all[n] || all[n + 1])
            problem = add_line(label, all[n], &seen);
    if (problem) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "backup_label, line %u: %s", n, problem);
        return NULL;
    }
    problem = check_whole(label, seen);
    if (problem) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "backup_label: %s", problem);
        return NULL;
    }
    return g_steal_pointer(&label);
}

/* ---- tablespace_map ---- */

static void clear_tablespace(void *tablespace)
{
    g_free(((Tablespace *)tablespace)->path);
}

static bool ends_line(char c)
{
    return c == '\n' || c == '\r';
}

/* A backslash stands before an end of line that belongs to the path, since 14 also before another
 * one. Gives the place behind the line; NULL when it does not end. */
static const char *take_path(int release, const char *at, const char *end, GString *path)
{
    for (; at < end && !ends_line(*at); at++) {
        if (*at == '\\' && at + 1 < end && (release >= 14 || ends_line(at[1])))
            at++;
        g_string_append_c(path, *at);
    }
    return at < end ? at + 1 : NULL;
}

/* "16384 /srv/far": behind the line; NULL when it cannot be read. */
static const char *take_tablespace(int release, GArray *map, const char *at, const char *end)
{
    const char *space = memchr(at, ' ', (size_t)(end - at));
    g_autoptr(GString) path = g_string_new(NULL);
    g_autofree char *oid = NULL;
    Tablespace tablespace;

    if (!space)
        return NULL;
    oid = g_strndup(at, (gsize)(space - at));
    at = take_path(release, space + 1, end, path);
    if (!at || !parse_u32(oid, &tablespace.oid) || *path->str != '/' ||
        strlen(path->str) != path->len)
        return NULL;
    for (guint i = 0; i < map->len; i++)
        if (g_array_index(map, Tablespace, i).oid == tablespace.oid)
            return NULL;
    tablespace.path = g_string_free(g_steal_pointer(&path), FALSE);
    g_array_append_val(map, tablespace);
    return at;
}

GArray *tablespace_map_parse(int release, const char *text, size_t len, GError **error)
{
    g_autoptr(GArray) map = g_array_new(false, false, sizeof(Tablespace));
    const char *at = text, *end = text + len;

    g_array_set_clear_func(map, clear_tablespace);
    while (at && at < end) {
        // an empty one is written with an end of line, too
        if (*at == '\n')
            at++;
        else
            at = take_tablespace(release, map, at, end);
    }
    if (!at) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "tablespace_map, entry %u cannot be read",
                    map->len + 1);
        return NULL;
    }
    return g_steal_pointer(&map);
}
