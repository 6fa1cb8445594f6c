/* SPDX-License-Identifier: Apache-2.0 */
#include "config/archive.h"

#include "base/error.h"
#include "config/keep.h"
#include "config/types.h"
#include "plan/filename.h"
#include <string.h>

#define AT(member) G_STRUCT_OFFSET(ArchiveConfig, member)

static const char *const formats[] = { "dump",   "sql",     "sql.gz", "sql.zst", "tar",
                                       "tar.gz", "tar.zst", "rdb",    "rdb.gz",  "rdb.zst",
                                       "db",     "db.gz",   "db.zst", "app",     NULL };

static bool parse_pattern(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    return filename_check(text, error);
}

/* One that stays must not change with time. */
static bool parse_latest(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    g_autofree char *dated = g_strconcat(text, "{date}", NULL);

    if (!filename_check(dated, error))
        return false;
    if (!filename_check(text, NULL))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                "\"%s\" would change with time; write a name "
                "that stays, such as latest.sql.gz",
                text);
    return false;
}

static const FieldType type_pattern = { "PATTERN", "a pattern of names such as {name}-{timestamp}",
                                        parse_pattern, .copied = true };
static const FieldType type_latest = { "NAME", "a name such as latest.sql.gz", parse_latest,
                                       .copied = true };

static const Field s3_fields[] = {
    { "access_key", FIELD_TEXT, AT(s3_access_key), &type_reference,
      .help = "the access key of the bucket" },
    { "secret_key", FIELD_TEXT, AT(s3_secret_key), &type_reference, .help = "its secret key" },
    { "session_token", FIELD_TEXT, AT(s3_session_token), &type_reference,
      .help = "the token of keys that are lent" },
    { "region", FIELD_TEXT, AT(s3_region), &type_text, .help = "the region of the bucket" },
};
static const Table s3_table = { .fields = s3_fields, .n = G_N_ELEMENTS(s3_fields) };

static const Field encrypt_fields[] = {
    { "keys", FIELD_TEXT, AT(keys), &type_path, .help = "file with OpenPGP keys; public ones do" },
    { "recipients", FIELD_LIST, AT(recipients), &type_text,
      .help = "fingerprints of those to encrypt to; without it all in the file" },
    { "passphrase", FIELD_TEXT, AT(passphrase), &type_reference,
      .help = "where the passphrase is, instead of keys" },
};
static const Table encrypt_table = { .fields = encrypt_fields, .n = G_N_ELEMENTS(encrypt_fields) };

static const Field keep_fields[] = { KEEP_LAST(keep, NULL), KEEP_REST(keep) };
static const Table keep_table = { .fields = keep_fields, .n = G_N_ELEMENTS(keep_fields) };

static const Field fields[] = {
    { "to", FIELD_TEXT, AT(to), &type_location, .required = true,
      .help = "where to: an absolute path, or s3:https://host/bucket/prefix" },
    { "s3", FIELD_OBJECT, .table = &s3_table,
      .help = "keys of that bucket; without them those of the environment" },
    { "options", FIELD_LIST, AT(options), &type_text,
      .help = "options of the store, such as s3.bucket-lookup=path" },
    { "sources", FIELD_LIST, AT(sources), .section = "sources",
      .help = "of which sources; without it of all that the format is for" },
    { "format", FIELD_TEXT, AT(format), .words = formats, .required = true,
      .help = "what is written: of PostgreSQL dump or sql, of Redis rdb, of SQLite db, of anything "
              "tar" },
    { "level", FIELD_NUMBER, AT(level), .max = 19,
      .help = "of compression: 1 to 9 for gz, 1 to 19 for zst" },
    { "name", FIELD_TEXT, AT(name), &type_pattern, .fallback = "\"{name}-{timestamp}\"",
      .help =
          "pattern of the names; the ending of the format, and .gpg, are added where they lack" },
    { "latest", FIELD_TEXT, AT(latest), &type_latest,
      .help = "name of a second copy that is replaced each time" },
    { "encrypt", FIELD_OBJECT, .table = &encrypt_table, .help = "for whom they are encrypted" },
    { "keep", FIELD_OBJECT, .table = &keep_table,
      .help = "which archives stay; without it all of them" },
};

static void verify_encrypt(const json_t *object, const char *pointer, Problems *problems)
{
    const json_t *encrypt = json_object_get(object, "encrypt");
    bool keys = json_object_get(encrypt, "keys");
    g_autofree char *place = pointer_join(pointer, "encrypt");

    if (json_object_size(encrypt) > 0 && keys == !!json_object_get(encrypt, "passphrase"))
        problems_add(problems, place, "write keys or passphrase, one of the two");
    else if (json_object_get(encrypt, "recipients") && !keys)
        problems_add(problems, place, "recipients are chosen from keys, and there are none");
}

static void verify(const json_t *object, const char *pointer, Problems *problems)
{
    const char *to = json_string_value(json_object_get(object, "to"));
    const char *format = json_string_value(json_object_get(object, "format"));
    json_int_t level = json_integer_value(json_object_get(object, "level"));
    g_autofree char *s3 = pointer_join(pointer, "s3"), *place = pointer_join(pointer, "level");

    verify_encrypt(object, pointer, problems);
    if (json_object_size(json_object_get(object, "s3")) > 0 && to && !g_str_has_prefix(to, "s3:"))
        problems_add(problems, s3, "is for buckets, and this is a directory");
    if (level > 0 && format && !strchr(format, '.') && strcmp(format, "app") != 0)
        problems_add(problems, place, "%s is not compressed, and has no levels", format);
    else if (level > 9 && format && (g_str_has_suffix(format, ".gz") || strcmp(format, "app") == 0))
        problems_add(problems, place, "must be 1 to 9 for %s", format);
}

const Table archive_table = {
    .title = "archives",
    .help = "Portable files that a schedule writes of each backup, which need neither backstay nor "
            "the repository. Beside each lies NAME.manifest.json; only files that have one of the "
            "same schedule are ever removed.",
    .fields = fields,
    .n = G_N_ELEMENTS(fields),
    .verify = verify,
};

ArchiveConfig *archive_config_new(const json_t *object)
{
    ArchiveConfig *archive = g_new0(ArchiveConfig, 1);

    table_fill(&archive_table, object, archive);
    return archive;
}

void archive_config_free(ArchiveConfig *archive)
{
    if (!archive)
        return;
    table_clear(&archive_table, archive);
    g_free(archive);
}
