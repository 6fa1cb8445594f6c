/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/manifestwriter.h"
#include "codec/hash.h"
#include "codec/json.h"
#include "pg/walname.h"

typedef enum { AT_FILES, AT_RANGES, AT_END } Place;

struct ManifestWriter {
    ManifestWrite write;
    void *user;
    Hash *hash;
    GString *text; // not written yet
    Place place;
    bool first; // no item in this list yet
};

ManifestWriter *manifest_writer_new(int release, uint64_t system_id, ManifestWrite write,
                                    void *user)
{
    ManifestWriter *writer = g_new0(ManifestWriter, 1);

    writer->write = write;
    writer->user = user;
    writer->hash = hash_new();
    writer->first = true;
    writer->text = g_string_new(NULL);
    g_string_printf(writer->text, "{ \"PostgreSQL-Backup-Manifest-Version\": %d,\n",
                    release < 17 ? 1 : 2);
    if (release >= 17)
        g_string_append_printf(writer->text, "\"System-Identifier\": %" G_GUINT64_FORMAT ",\n",
                               system_id);
    g_string_append(writer->text, "\"Files\": [");
    return writer;
}

void manifest_writer_free(ManifestWriter *writer)
{
    if (!writer)
        return;
    hash_free(writer->hash);
    g_string_free(writer->text, TRUE);
    g_free(writer);
}

static bool flush(ManifestWriter *writer, GError **error)
{
    bool done;

    hash_update(writer->hash, writer->text->str, writer->text->len);
    done = writer->write(writer->user, writer->text->str, writer->text->len, error);
    g_string_truncate(writer->text, 0);
    return done;
}

static void begin_item(ManifestWriter *writer)
{
    g_string_append(writer->text, writer->first ? "\n{ " : ",\n{ ");
    writer->first = false;
}

static void append_hex(GString *text, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        g_string_append_printf(text, "%02x", bytes[i]);
}

static void append_path(GString *text, const char *path)
{
    size_t len = strlen(path);

    // JSON can say any UTF-8 and nothing else
    if (utf8_valid(path, len)) {
        g_string_append(text, "\"Path\": ");
        json_append_string(text, path, len);
    } else {
        g_string_append(text, "\"Encoded-Path\": \"");
        append_hex(text, (const uint8_t *)path, len);
        g_string_append_c(text, '"');
    }
}

static void append_time(GString *text, int64_t mtime)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(mtime);
    // nobody reads it, so a time beyond the calendar is no reason to fail
    g_autofree char *shown =
        time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S GMT") : g_strdup("");

    g_string_append_printf(text, "\"Last-Modified\": \"%s\"", shown);
}

static void append_checksum(GString *text, const ManifestLine *line)
{
    // in the order of the server's memory
    uint32_t little = GUINT32_TO_LE(line->crc);

    g_string_append_printf(text, "\"Checksum-Algorithm\": \"%s\", \"Checksum\": \"",
                           line->sha256 ? "SHA256" : "CRC32C");
    if (line->sha256)
        append_hex(text, line->sha256->bytes, ID_LEN);
    else
        append_hex(text, (const uint8_t *)&little, sizeof little);
    g_string_append_c(text, '"');
}

bool manifest_writer_add(ManifestWriter *writer, const ManifestLine *line, GError **error)
{
    GString *text = writer->text;

    g_assert(writer->place == AT_FILES);
    begin_item(writer);
    append_path(text, line->path);
    g_string_append_printf(text, ", \"Size\": %" G_GUINT64_FORMAT ", ", line->size);
    append_time(text, line->mtime);
    g_string_append(text, ", ");
    append_checksum(text, line);
    g_string_append(text, " }");
    return flush(writer, error);
}

static void begin_ranges(ManifestWriter *writer)
{
    g_string_append(writer->text, "\n],\n\"WAL-Ranges\": [");
    writer->place = AT_RANGES;
    writer->first = true;
}

bool manifest_writer_add_range(ManifestWriter *writer, uint32_t timeline, uint64_t start,
                               uint64_t end, GError **error)
{
    g_assert(writer->place != AT_END);
    if (writer->place == AT_FILES)
        begin_ranges(writer);
    begin_item(writer);
    g_string_append_printf(writer->text,
                           "\"Timeline\": %u, \"Start-LSN\": \"%s\", \"End-LSN\": \"%s\" }",
                           timeline, lsn_text(start).text, lsn_text(end).text);
    return flush(writer, error);
}

bool manifest_writer_finish(ManifestWriter *writer, GError **error)
{
    Id checksum;

    g_assert(writer->place != AT_END);
    if (writer->place == AT_FILES)
        begin_ranges(writer);
    writer->place = AT_END;
    g_string_append(writer->text, "\n],\n");
    if (!flush(writer, error))
        return false;
    hash_final(writer->hash, &checksum);
    g_string_printf(writer->text, "\"Manifest-Checksum\": \"%s\"}\n", id_hex(&checksum).text);
    return writer->write(writer->user, writer->text->str, writer->text->len, error);
}
