/* SPDX-License-Identifier: Apache-2.0 */
#include "config/repository.h"

#include "config/s3.h"
#include "config/types.h"
#include <string.h>

#define AT(member) G_STRUCT_OFFSET(RepositoryConfig, member)

static const Field s3_fields[] = {
    { "access_key", FIELD_TEXT, AT(s3_access_key), &type_reference,
      .help = "the access key of the bucket", .example = "env://BACKUP_S3_ACCESS_KEY" },
    { "secret_key", FIELD_TEXT, AT(s3_secret_key), &type_reference, .help = "its secret key",
      .example = "env://BACKUP_S3_SECRET_KEY" },
    { "session_token", FIELD_TEXT, AT(s3_session_token), &type_reference,
      .help = "the token of keys that are lent" },
    { "region", FIELD_TEXT, AT(s3_region), &type_text, .help = "the region of the bucket",
      .example = "eu-central-1" },
};

static void verify_s3(const json_t *object, const char *pointer, Problems *problems)
{
    bool access = json_object_get(object, "access_key"),
         secret = json_object_get(object, "secret_key"),
         token = json_object_get(object, "session_token");

    if (access != secret || (token && !access))
        problems_add_key(problems, pointer, "access_key and secret_key go together");
}

static const Table s3_table = { .fields = s3_fields,
                                .n = G_N_ELEMENTS(s3_fields),
                                .verify = verify_s3 };

static const Field fields[] = {
    { "location", FIELD_TEXT, AT(location), &type_location, .required = true,
      .help = "where it is: an absolute path, or s3:https://host/bucket/prefix",
      .example = "/srv/backup" },
    { "password", FIELD_TEXT, AT(password), &type_reference,
      .help = "where its password is; without one the options and the environment decide",
      .example = "file:///etc/backstay/password" },
    { "key_file", FIELD_TEXT, AT(key_file), &type_path,
      .help = "file with the master key (key export), instead of a password" },
    { "s3", FIELD_OBJECT, .table = &s3_table, .help = "keys of a bucket" },
    { "cacert", FIELD_TEXT, AT(cacert), &type_path,
      .help = "file of certificates (PEM) to trust instead of the system's" },
    { "compression", FIELD_TEXT, AT(compression), &type_compression,
      .help = "off, auto, max or a zstd level from 1 to 19", .example = "auto" },
    { "pack_size", FIELD_TEXT, AT(pack_size), &type_pack_size,
      .help = "target size of packs in MiB, 4 to 128" },
    { "limit_upload", FIELD_TEXT, AT(limit_upload), &type_rate,
      .help = "KiB a second that are sent at most", .example = "20000" },
    { "limit_download", FIELD_TEXT, AT(limit_download), &type_rate,
      .help = "KiB a second that are fetched at most" },
    { "quota", FIELD_TEXT, AT(quota), &type_size,
      .help = "room that it may take, such as what was ordered of a bucket; nothing is refused "
              "beyond it, but the daemon tells before it is used up",
      .example = "500G" },
    { "options", FIELD_LIST, AT(options), &type_text,
      .help = "options of the store, such as s3.bucket-lookup=path" },
};

static void verify_options(const json_t *object, const char *pointer, Problems *problems)
{
    RepositoryConfig *repository = repository_config_new("", object);
    g_autofree char *place = pointer_join(pointer, "options");
    g_auto(S3Settings) settings = { 0 };
    g_autoptr(GError) problem = NULL;

    if (!s3_settings_parse(repository->options, &settings, &problem))
        problems_add(problems, place, "%s", problem->message);
    repository_config_free(repository);
}

static void verify(const json_t *object, const char *pointer, Problems *problems)
{
    const char *location = json_string_value(json_object_get(object, "location"));
    g_autofree char *s3 = pointer_join(pointer, "s3");

    if (json_object_get(object, "password") && json_object_get(object, "key_file"))
        problems_add_key(problems, pointer, "password and key_file: leave one");
    if (json_object_get(object, "s3") && location && !g_str_has_prefix(location, "s3:"))
        problems_add(problems, s3, "is for buckets, and the location is a directory");
    if (json_object_get(object, "options"))
        verify_options(object, pointer, problems);
}

const Table repository_table = {
    .title = "repositories",
    .help = "Places where snapshots are kept, by name. `backstay -r NAME` uses one; options and "
            "environment of a command come before what stands here.",
    .fields = fields,
    .n = G_N_ELEMENTS(fields),
    .verify = verify,
};

RepositoryConfig *repository_config_new(const char *name, const json_t *object)
{
    RepositoryConfig *repository = g_new0(RepositoryConfig, 1);

    repository->name = g_strdup(name);
    table_fill(&repository_table, object, repository);
    return repository;
}

void repository_config_free(RepositoryConfig *repository)
{
    if (!repository)
        return;
    table_clear(&repository_table, repository);
    g_free(repository->name);
    g_free(repository);
}
