/* SPDX-License-Identifier: Apache-2.0 */
/* A repository that the configuration names: values as the options of the same names take them. */
#pragma once
#include "config/field.h"
#include "config/reference.h"

typedef struct {
    char *name, *location;
    Reference password, s3_access_key, s3_secret_key, s3_session_token; /* NULL: not given */
    char *key_file, *s3_region, *cacert, *compression, *pack_size, *limit_upload, *limit_download;
    char **options; /* as -o; NULL: none */
    uint64_t quota; /* bytes that it may take; 0: the disk decides */
} RepositoryConfig;

extern const Table repository_table;

/* Of a checked object. */
RepositoryConfig *repository_config_new(const char *name, const json_t *object);
void repository_config_free(RepositoryConfig *repository);
