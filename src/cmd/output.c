/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/output.h"

#include "base/error.h"
#include "codec/json.h"
#include "codec/rfc3339.h"
#include "op/grouptags.h"
#include <errno.h>
#include <string.h>
#include <time.h>

void output_json(json_t *object)
{
    // in pieces, and the progress line and readers print, too
    flockfile(stdout);
    (void)json_dumpf(object, stdout, JSON_COMPACT); // output_close() asks whether stdout is well
    (void)fputc('\n', stdout);
    funlockfile(stdout);
    json_decref(object);
}

bool output_line(const GString *line, GError **error)
{
    bool ok;

    flockfile(stdout);
    ok = fwrite(line->str, 1, line->len, stdout) == line->len && fputc('\n', stdout) != EOF;
    funlockfile(stdout);
    if (ok)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CANCELLED, "write to standard output: %s",
                g_strerror(errno));
    return false;
}

void output_error(const Settings *settings, const GError *error)
{
    if (settings->json) {
        // on stderr as restic's, so that an array on stdout stays one
        g_autofree char *line = NULL;
        json_t *object =
            json_pack("{s:s, s:i, s:o}", "message_type", "exit_error", "code",
                      bs_error_exit_status(error), "message", json_bytes(error->message));

        line = json_dumps(object, JSON_COMPACT);
        json_decref(object);
        (void)fprintf(stderr, "%s\n", line);
    } else
        (void)fprintf(stderr, "backstay: %s\n", error->message);
}

void output_problem(const Settings *settings, const char *during, const char *item,
                    const GError *problem)
{
    if (settings->json)
        output_json(json_pack("{s:s, s:{s:o}, s:s, s:o}", "message_type", "error", "error",
                              "message", json_bytes(problem->message), "during", during, "item",
                              json_bytes(item)));
    else
        fprintf(stderr, "%s: %s\n", item, problem->message);
}

bool output_close(bool tell)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    if (tell)
        (void)fprintf(stderr, "backstay: write to standard output: %s\n", g_strerror(errno));
    return false;
}

char *output_time(Timestamp time)
{
    time_t seconds = (time_t)time.sec;
    struct tm local;
    char text[64];

    if (!localtime_r(&seconds, &local) ||
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local) == 0)
        return g_strdup_printf("@%" G_GINT64_FORMAT, time.sec);
    return g_strdup(text);
}

char *output_duration(double seconds)
{
    uint64_t s = seconds > 0 ? (uint64_t)seconds : 0;

    if (s >= 3600)
        return g_strdup_printf("%u:%02u:%02u", (unsigned)(s / 3600), (unsigned)(s / 60 % 60),
                               (unsigned)(s % 60));
    return g_strdup_printf("%u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
}

json_t *json_bytes(const char *text)
{
    g_autofree char *valid = utf8_valid(text, strlen(text)) ? NULL : g_utf8_make_valid(text, -1);

    return json_string(valid ? valid : text);
}

json_t *json_strv(char *const *list)
{
    json_t *array = json_array();

    for (; list && *list; list++)
        json_array_append_new(array, json_bytes(*list));
    return array;
}

json_t *json_time(Timestamp time)
{
    char text[RFC3339_MAX];

    rfc3339_format(time, text);
    return json_string(text);
}

/* ---- snapshots and nodes in restic's shapes ---- */

static void set_unless_empty(json_t *object, const char *key, const char *text)
{
    if (text && *text)
        json_object_set_new(object, key, json_bytes(text));
}

static json_t *json_summary(const SnapshotSummary *summary)
{
    json_t *object = json_object();

#define COUNT(member)                                                                              \
    json_object_set_new(object, #member, json_integer((json_int_t)summary->member))
    json_object_set_new(object, "backup_start", json_time(summary->backup_start));
    json_object_set_new(object, "backup_end", json_time(summary->backup_end));
    COUNT(files_new);
    COUNT(files_changed);
    COUNT(files_unmodified);
    COUNT(dirs_new);
    COUNT(dirs_changed);
    COUNT(dirs_unmodified);
    COUNT(data_blobs);
    COUNT(tree_blobs);
    COUNT(data_added);
    COUNT(data_added_packed);
    COUNT(total_files_processed);
    COUNT(total_bytes_processed);
#undef COUNT
    return object;
}

json_t *json_snapshot(const Snapshot *snapshot)
{
    json_t *object = json_object(), *group = group_tags_describe(snapshot);

    json_object_set_new(object, "time",
                        snapshot->time_text ? json_string(snapshot->time_text)
                                            : json_time(snapshot->time));
    if (snapshot->has_parent)
        json_object_set_new(object, "parent", json_string(id_hex(&snapshot->parent).text));
    json_object_set_new(object, "tree", json_string(id_hex(&snapshot->tree).text));
    json_object_set_new(object, "paths", json_strv(snapshot->paths));
    set_unless_empty(object, "hostname", snapshot->hostname);
    set_unless_empty(object, "username", snapshot->username);
    if (snapshot->uid)
        json_object_set_new(object, "uid", json_integer(snapshot->uid));
    if (snapshot->gid)
        json_object_set_new(object, "gid", json_integer(snapshot->gid));
    if (snapshot->excludes && *snapshot->excludes)
        json_object_set_new(object, "excludes", json_strv(snapshot->excludes));
    if (snapshot->tags && *snapshot->tags)
        json_object_set_new(object, "tags", json_strv(snapshot->tags));
    if (snapshot->has_original)
        json_object_set_new(object, "original", json_string(id_hex(&snapshot->original).text));
    set_unless_empty(object, "program_version", snapshot->program_version);
    if (snapshot->has_summary)
        json_object_set_new(object, "summary", json_summary(&snapshot->summary));
    if (group)
        json_object_set_new(object, "group", group);
    json_object_set_new(object, "id", json_string(id_hex(&snapshot->id).text));
    json_object_set_new(object, "short_id", json_string(id_short(&snapshot->id).text));
    return object;
}
