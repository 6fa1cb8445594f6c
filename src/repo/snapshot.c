/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/snapshot.h"
#include "base/error.h"
#include "codec/json.h"
#include "codec/rfc3339.h"
#include <jansson.h>
#include <string.h>

Snapshot *snapshot_new(void)
{
    Snapshot *snapshot = g_new0(Snapshot, 1);

    snapshot->paths = g_new0(char *, 1);
    snapshot->excludes = g_new0(char *, 1);
    snapshot->tags = g_new0(char *, 1);
    snapshot->hostname = g_strdup("");
    snapshot->username = g_strdup("");
    return snapshot;
}

void snapshot_free(Snapshot *snapshot)
{
    if (!snapshot)
        return;
    g_free(snapshot->time_text);
    g_strfreev(snapshot->paths);
    g_strfreev(snapshot->excludes);
    g_strfreev(snapshot->tags);
    g_free(snapshot->hostname);
    g_free(snapshot->username);
    g_free(snapshot->program_version);
    g_free(snapshot);
}

bool snapshot_has_tag(const Snapshot *snapshot, const char *tag)
{
    return g_strv_contains((const char *const *)snapshot->tags, tag);
}

const char *snapshot_tag_value(const Snapshot *snapshot, const char *key)
{
    size_t len = strlen(key);

    for (char **tag = snapshot->tags; *tag; tag++)
        if (strncmp(*tag, key, len) == 0 && (*tag)[len] == '=')
            return *tag + len + 1;
    return NULL;
}

/* The counters of a summary in the format's order; all are always written. */
static const struct {
    const char *name;
    size_t offset;
} counters[] = {
    { "files_new", offsetof(SnapshotSummary, files_new) },
    { "files_changed", offsetof(SnapshotSummary, files_changed) },
    { "files_unmodified", offsetof(SnapshotSummary, files_unmodified) },
    { "dirs_new", offsetof(SnapshotSummary, dirs_new) },
    { "dirs_changed", offsetof(SnapshotSummary, dirs_changed) },
    { "dirs_unmodified", offsetof(SnapshotSummary, dirs_unmodified) },
    { "data_blobs", offsetof(SnapshotSummary, data_blobs) },
    { "tree_blobs", offsetof(SnapshotSummary, tree_blobs) },
    { "data_added", offsetof(SnapshotSummary, data_added) },
    { "data_added_packed", offsetof(SnapshotSummary, data_added_packed) },
    { "total_files_processed", offsetof(SnapshotSummary, total_files_processed) },
    { "total_bytes_processed", offsetof(SnapshotSummary, total_bytes_processed) },
};

/* ---- reading ---- */

/* An absent field, or null, leaves what is there. */
static bool get_string(const json_t *object, const char *field, char **ret_text, GError **error)
{
    const json_t *value = json_object_get(object, field);

    if (!value || json_is_null(value))
        return true;
    if (!json_is_string(value)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s is not a string", field);
        return false;
    }
    g_free(*ret_text);
    *ret_text = g_strdup(json_string_value(value));
    return true;
}

static bool get_strings(const json_t *object, const char *field, GStrv *ret_list, GError **error)
{
    const json_t *list = json_object_get(object, field);
    g_autoptr(GStrvBuilder) strings = g_strv_builder_new();

    if (!list || json_is_null(list))
        return true;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (text)
            g_strv_builder_add(strings, text);
        else
            list = NULL;
    }
    if (!json_is_array(list)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s is not a list of strings", field);
        return false;
    }
    g_strfreev(*ret_list);
    *ret_list = g_strv_builder_end(strings);
    return true;
}

static bool get_id(const json_t *object, const char *field, Id *ret_id, bool *ret_has,
                   GError **error)
{
    const json_t *value = json_object_get(object, field);

    *ret_has = value && !json_is_null(value);
    if (!*ret_has || (json_is_string(value) &&
                      id_parse_len(json_string_value(value), json_string_length(value), ret_id)))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s is not an id", field);
    return false;
}

static bool get_uint32(const json_t *object, const char *field, uint32_t *ret_value, GError **error)
{
    const json_t *value = json_object_get(object, field);

    if (!value || json_is_null(value))
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > UINT32_MAX) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s is not a number of 32 bits", field);
        return false;
    }
    *ret_value = (uint32_t)json_integer_value(value);
    return true;
}

static bool get_time(const json_t *object, Snapshot *snapshot, GError **error)
{
    if (!get_string(object, "time", &snapshot->time_text, error))
        return false;
    if (!snapshot->time_text) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, "no time");
        return false;
    }
    return rfc3339_parse(snapshot->time_text, strlen(snapshot->time_text), &snapshot->time, error);
}

/* A summary is for people: what cannot be read in it stays 0 and costs nobody his snapshot. */
static void get_summary(const json_t *object, Snapshot *snapshot)
{
    const json_t *summary = json_object_get(object, "summary");
    const char *start = json_string_value(json_object_get(summary, "backup_start"));
    const char *end = json_string_value(json_object_get(summary, "backup_end"));

    snapshot->has_summary = json_is_object(summary);
    if (start)
        (void)rfc3339_parse(start, strlen(start), &snapshot->summary.backup_start, NULL);
    if (end)
        (void)rfc3339_parse(end, strlen(end), &snapshot->summary.backup_end, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(counters); i++) {
        json_int_t value = json_integer_value(json_object_get(summary, counters[i].name));
        uint64_t *counter = G_STRUCT_MEMBER_P(&snapshot->summary, counters[i].offset);

        *counter = value > 0 ? (uint64_t)value : 0;
    }
}

static bool read_fields(const json_t *object, Snapshot *snapshot, GError **error)
{
    bool has_tree = false;

    if (!get_time(object, snapshot, error) ||
        !get_id(object, "parent", &snapshot->parent, &snapshot->has_parent, error) ||
        !get_id(object, "tree", &snapshot->tree, &has_tree, error) ||
        !get_strings(object, "paths", &snapshot->paths, error) ||
        !get_string(object, "hostname", &snapshot->hostname, error) ||
        !get_string(object, "username", &snapshot->username, error) ||
        !get_uint32(object, "uid", &snapshot->uid, error) ||
        !get_uint32(object, "gid", &snapshot->gid, error) ||
        !get_strings(object, "excludes", &snapshot->excludes, error) ||
        !get_strings(object, "tags", &snapshot->tags, error) ||
        !get_id(object, "original", &snapshot->original, &snapshot->has_original, error) ||
        !get_string(object, "program_version", &snapshot->program_version, error))
        return false;
    if (!has_tree) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, "no tree");
        return false;
    }
    get_summary(object, snapshot);
    return true;
}

bool snapshot_decode(const char *text, size_t len, Snapshot **ret_snapshot, GError **error)
{
    g_autoptr(Snapshot) snapshot = snapshot_new();
    json_error_t problem;
    json_t *object = json_loadb(text, len, 0, &problem);
    bool ok = false;

    if (!object)
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "not JSON: %s", problem.text);
    else if (!json_is_object(object))
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, "not a JSON object");
    else
        ok = read_fields(object, snapshot, error);
    json_decref(object);
    if (ok)
        *ret_snapshot = g_steal_pointer(&snapshot);
    return ok;
}

/* ---- writing ---- */

static void append_string(GString *out, const char *field, const char *text)
{
    if (!text || *text == '\0')
        return;
    g_string_append(out, field);
    json_append_string(out, text, strlen(text));
}

static void append_list(GString *out, const char *field, const GStrv list)
{
    g_string_append(out, field);
    for (char **text = list; *text; text++) {
        g_string_append_c(out, text == list ? '[' : ',');
        json_append_string(out, *text, strlen(*text));
    }
    g_string_append(out, *list ? "]" : "[]");
}

static void append_time(GString *out, const char *field, Timestamp time)
{
    char text[RFC3339_MAX];

    append_string(out, field, rfc3339_format(time, text) > 0 ? text : NULL);
}

static void append_summary(GString *out, const SnapshotSummary *summary)
{
    append_time(out, ",\"summary\":{\"backup_start\":", summary->backup_start);
    append_time(out, ",\"backup_end\":", summary->backup_end);
    for (size_t i = 0; i < G_N_ELEMENTS(counters); i++) {
        g_string_append_printf(out, ",\"%s\":", counters[i].name);
        json_append_uint(out, G_STRUCT_MEMBER(uint64_t, summary, counters[i].offset));
    }
    g_string_append_c(out, '}');
}

char *snapshot_encode(const Snapshot *snapshot, size_t *ret_len)
{
    GString *out = g_string_new(NULL);

    if (snapshot->time_text)
        append_string(out, "{\"time\":", snapshot->time_text);
    else
        append_time(out, "{\"time\":", snapshot->time);
    if (snapshot->has_parent)
        append_string(out, ",\"parent\":", id_hex(&snapshot->parent).text);
    append_string(out, ",\"tree\":", id_hex(&snapshot->tree).text);
    append_list(out, ",\"paths\":", snapshot->paths);
    append_string(out, ",\"hostname\":", snapshot->hostname);
    append_string(out, ",\"username\":", snapshot->username);
    if (snapshot->uid != 0)
        g_string_append_printf(out, ",\"uid\":%" G_GUINT32_FORMAT, snapshot->uid);
    if (snapshot->gid != 0)
        g_string_append_printf(out, ",\"gid\":%" G_GUINT32_FORMAT, snapshot->gid);
    if (*snapshot->excludes)
        append_list(out, ",\"excludes\":", snapshot->excludes);
    if (*snapshot->tags)
        append_list(out, ",\"tags\":", snapshot->tags);
    if (snapshot->has_original)
        append_string(out, ",\"original\":", id_hex(&snapshot->original).text);
    append_string(out, ",\"program_version\":", snapshot->program_version);
    if (snapshot->has_summary)
        append_summary(out, &snapshot->summary);
    g_string_append_c(out, '}');
    *ret_len = out->len;
    return g_string_free(out, FALSE);
}

/* ---- objects ---- */

bool snapshot_load(Repo *repo, const Id *id, Snapshot **ret_snapshot, GError **error)
{
    g_autoptr(GBytes) text = NULL;
    g_autoptr(Snapshot) snapshot = NULL;

    if (!repo_load(repo, FILE_SNAPSHOT, id, &text, error) ||
        !snapshot_decode(g_bytes_get_data(text, NULL), g_bytes_get_size(text), &snapshot, error)) {
        g_prefix_error(error, "snapshot %s: ", id_short(id).text);
        return false;
    }
    snapshot->id = *id;
    *ret_snapshot = g_steal_pointer(&snapshot);
    return true;
}

bool snapshot_save(Repo *repo, Snapshot *snapshot, GError **error)
{
    size_t len = 0;
    g_autofree char *text = snapshot_encode(snapshot, &len);

    return repo_save(repo, FILE_SNAPSHOT, text, len, &snapshot->id, error);
}
