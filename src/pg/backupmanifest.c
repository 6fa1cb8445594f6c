/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/backupmanifest.h"
#include "base/error.h"
#include "codec/hash.h"
#include "codec/jsonreader.h"
#include "pg/walname.h"
#include <string.h>

#define LINE_MAX_LEN (64u << 10) /* a path of 4,096 bytes in hex, and its facts */
#define VERSION_MAX  2

/* What the next line may be. */
typedef enum { HEAD, LISTS, FILES, RANGES, ENDED } Stage;

struct BackupManifest {
    JsonReader reader; /* of the line at hand */
    const ManifestReceiver *receiver;
    void *user;
    Stage stage;
    GByteArray *line; /* that has not ended yet */
    Hash *hash;
    unsigned n_lines;
    bool has_files, has_ranges;
    uint64_t system_id;
    /* the object at hand */
    ManifestFile file;
    char *path;
    ManifestRange range;
    unsigned seen; /* fields, by bit */
};

/* ---- objects of one line ---- */

enum { OUTSIDE, FILE_OBJECT, RANGE_OBJECT };
enum { PATH = 1, ENCODED_PATH, SIZE, ALGORITHM, CHECKSUM, TIMELINE, START, END };

static const JsonKey object_keys[] = {
    JSON_KEY(FILE_OBJECT, PATH, "Path"),
    JSON_KEY(FILE_OBJECT, ENCODED_PATH, "Encoded-Path"),
    JSON_KEY(FILE_OBJECT, SIZE, "Size"),
    JSON_KEY(FILE_OBJECT, ALGORITHM, "Checksum-Algorithm"),
    JSON_KEY(FILE_OBJECT, CHECKSUM, "Checksum"),
    JSON_KEY(RANGE_OBJECT, TIMELINE, "Timeline"),
    JSON_KEY(RANGE_OBJECT, START, "Start-LSN"),
    JSON_KEY(RANGE_OBJECT, END, "End-LSN"),
};

static bool has_all(const BackupManifest *manifest, unsigned fields)
{
    return (manifest->seen & fields) == fields;
}

static bool decode_hex(const char *text, size_t len, uint8_t *out)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        int high = g_ascii_xdigit_value(text[i]), low = g_ascii_xdigit_value(text[i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    return len % 2 == 0;
}

static bool take_path(BackupManifest *manifest, const char *text, size_t len, bool encoded)
{
    g_free(manifest->path);
    manifest->path = g_strndup(text, len);
    if (encoded && !decode_hex(text, len, (uint8_t *)manifest->path))
        return false;
    len = encoded ? len / 2 : len;
    manifest->path[len] = '\0';
    manifest->seen |= 1u << PATH;
    return len > 0 && strlen(manifest->path) == len;
}

/* The checksum is written as the bytes lie in memory: that of a CRC least byte first. */
static bool take_crc(BackupManifest *manifest, const char *text, size_t len)
{
    uint8_t bytes[4];

    manifest->seen |= 1u << CHECKSUM;
    if (len != 2 * sizeof bytes)
        return true; // of another algorithm
    if (!decode_hex(text, len, bytes))
        return false;
    manifest->file.crc = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                         (uint32_t)bytes[3] << 24;
    return true;
}

static bool on_string(JsonReader *reader, const char *text, size_t len)
{
    BackupManifest *manifest = (BackupManifest *)reader;
    bool ok = true;

    switch (reader->field) {
    case PATH:
    case ENCODED_PATH:
        ok = take_path(manifest, text, len, reader->field == ENCODED_PATH);
        break;
    case ALGORITHM:
        manifest->file.has_crc = len == strlen("CRC32C") && memcmp(text, "CRC32C", len) == 0;
        break;
    case CHECKSUM:
        ok = take_crc(manifest, text, len);
        break;
    case START:
    case END:
        ok = lsn_parse_len(text, len,
                           reader->field == START ? &manifest->range.start : &manifest->range.end);
        manifest->seen |= 1u << reader->field;
        break;
    default:
        ok = false;
    }
    return ok || json_refuse(reader, "a value that is none");
}

static bool on_number(JsonReader *reader, const char *text, size_t len)
{
    BackupManifest *manifest = (BackupManifest *)reader;
    uint64_t value;

    if (!json_parse_uint(text, len, reader->field == TIMELINE ? UINT32_MAX : INT64_MAX, &value))
        return json_refuse(reader, "a number that is none");
    if (reader->field == SIZE)
        manifest->file.size = value;
    else if (reader->field == TIMELINE)
        manifest->range.timeline = (uint32_t)value;
    else
        return json_refuse(reader, "a number where none belongs");
    manifest->seen |= 1u << reader->field;
    return true;
}

static bool on_begin(JsonReader *reader, bool list)
{
    BackupManifest *manifest = (BackupManifest *)reader;

    if (list || reader->place != OUTSIDE)
        return json_refuse(reader, "a list or an object where none belongs");
    reader->place = manifest->stage == FILES ? FILE_OBJECT : RANGE_OBJECT;
    return true;
}

static bool on_end(JsonReader *reader)
{
    reader->place = OUTSIDE;
    return true;
}

static const JsonReaderOps object_ops = {
    .keys = object_keys,
    .n_keys = G_N_ELEMENTS(object_keys),
    .string = on_string,
    .number = on_number,
    .begin = on_begin,
    .end = on_end,
};

/* ---- lines ---- */

static bool corrupt(const BackupManifest *manifest, const char *what, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "backup_manifest, line %u: %s",
                manifest->n_lines, what);
    return false;
}

static bool tell_object(BackupManifest *manifest, GError **error)
{
    if (manifest->stage == RANGES)
        return has_all(manifest, 1u << TIMELINE | 1u << START | 1u << END)
                   ? manifest->receiver->range(manifest->user, &manifest->range, error)
                   : corrupt(manifest, "a range of WAL that is not whole", error);
    if (!has_all(manifest, 1u << PATH | 1u << SIZE))
        return corrupt(manifest, "a file without path or size", error);
    manifest->file.has_crc = manifest->file.has_crc && has_all(manifest, 1u << CHECKSUM);
    manifest->file.path = manifest->path;
    return manifest->receiver->file(manifest->user, &manifest->file, error);
}

static bool take_object(BackupManifest *manifest, const char *line, size_t len, GError **error)
{
    if (line[len - 1] == ',')
        len--;
    manifest->seen = 0;
    manifest->file = (ManifestFile){ 0 };
    manifest->reader = (JsonReader){ .ops = &object_ops };
    if (!json_read(&manifest->reader, line, len, error)) {
        g_prefix_error(error, "backup_manifest, line %u: ", manifest->n_lines);
        return false;
    }
    return tell_object(manifest, error);
}

static bool starts(const char *line, size_t len, const char *with)
{
    return len >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

static bool is(const char *line, size_t len, const char *what)
{
    return len == strlen(what) && memcmp(line, what, len) == 0;
}

/* {"<name>": 123, */
static bool take_value(const char *line, size_t len, const char *name, uint64_t *ret_value)
{
    size_t before = strlen(name);

    return starts(line, len, name) && line[len - 1] == ',' &&
           json_parse_uint(line + before, len - before - 1, UINT64_MAX, ret_value);
}

static bool take_head(BackupManifest *manifest, const char *line, size_t len, GError **error)
{
    uint64_t version;

    manifest->stage = LISTS;
    if (!take_value(line, len, "{ \"PostgreSQL-Backup-Manifest-Version\": ", &version))
        return corrupt(manifest, "this is no manifest", error);
    if (version == 0 || version > VERSION_MAX)
        return corrupt(manifest, "a version that is not known", error);
    return true;
}

/* The checksum over the lines before. */
static bool take_checksum(BackupManifest *manifest, const char *line, size_t len, GError **error)
{
    g_autofree char *want = NULL;
    Id sha256;

    hash_final(manifest->hash, &sha256);
    want = g_strdup_printf("\"Manifest-Checksum\": \"%s\"}", id_hex(&sha256).text);
    manifest->stage = ENDED;
    return is(line, len, want) || corrupt(manifest, "its checksum does not fit", error);
}

/* A list begins, or the last line comes. */
static bool take_list(BackupManifest *manifest, const char *line, size_t len, GError **error)
{
    if (starts(line, len, "\"Manifest-Checksum\"") && manifest->has_files && manifest->has_ranges)
        return take_checksum(manifest, line, len, error);
    if (!manifest->has_files &&
        take_value(line, len, "\"System-Identifier\": ", &manifest->system_id))
        return true;
    if (is(line, len, "\"Files\": [") && !manifest->has_files) {
        manifest->stage = FILES;
        manifest->has_files = true;
    } else if (is(line, len, "\"WAL-Ranges\": [") && !manifest->has_ranges) {
        manifest->stage = RANGES;
        manifest->has_ranges = true;
    } else {
        return corrupt(manifest, "something else than a list", error);
    }
    return true;
}

static bool take_line(BackupManifest *manifest, const char *line, size_t len, GError **error)
{
    manifest->n_lines++;
    switch (len > 0 ? manifest->stage : ENDED) {
    case HEAD:
        return take_head(manifest, line, len, error);
    case LISTS:
        return take_list(manifest, line, len, error);
    case FILES:
    case RANGES:
        if (!is(line, len, "],"))
            return take_object(manifest, line, len, error);
        manifest->stage = LISTS;
        return true;
    default:
        return corrupt(manifest, "something after its end, or an empty line", error);
    }
}

/* ---- the stream ---- */

BackupManifest *backup_manifest_new(const ManifestReceiver *receiver, void *user)
{
    BackupManifest *manifest = g_new0(BackupManifest, 1);

    manifest->receiver = receiver;
    manifest->user = user;
    manifest->line = g_byte_array_new();
    manifest->hash = hash_new();
    return manifest;
}

void backup_manifest_free(BackupManifest *manifest)
{
    if (!manifest)
        return;
    g_byte_array_unref(manifest->line);
    hash_free(manifest->hash);
    g_free(manifest->path);
    g_free(manifest);
}

static bool end_line(BackupManifest *manifest, GError **error)
{
    const char *line = (const char *)manifest->line->data;
    size_t len = manifest->line->len - 1;

    if (!take_line(manifest, line, len, error))
        return false;
    hash_update(manifest->hash, line, len + 1);
    g_byte_array_set_size(manifest->line, 0);
    return true;
}

bool backup_manifest_feed(BackupManifest *manifest, const void *data, size_t len, GError **error)
{
    const uint8_t *bytes = data;

    while (len > 0) {
        const uint8_t *newline = memchr(bytes, '\n', len);
        size_t n = newline ? (size_t)(newline - bytes) + 1 : len;

        if (manifest->line->len + n > LINE_MAX_LEN)
            return corrupt(manifest, "the next line is too long", error);
        g_byte_array_append(manifest->line, bytes, (guint)n);
        if (newline && !end_line(manifest, error))
            return false;
        bytes += n;
        len -= n;
    }
    return true;
}

bool backup_manifest_finish(BackupManifest *manifest, GError **error)
{
    return (manifest->stage == ENDED && manifest->line->len == 0) ||
           corrupt(manifest, "it ends early", error);
}

uint64_t backup_manifest_system_id(const BackupManifest *manifest)
{
    return manifest->system_id;
}
