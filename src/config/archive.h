/* SPDX-License-Identifier: Apache-2.0 */
/* Where a schedule writes portable files to, of each backup. */
#pragma once
#include "config/field.h"
#include "config/reference.h"
#include "plan/retention.h"

typedef struct {
    char *to; /* a directory, or s3:... */
    Reference s3_access_key, s3_secret_key, s3_session_token;
    char *s3_region;
    char **options;       /* of the store */
    char **sources;       /* names; NULL: all that the format is for */
    char *format;         /* as `export --format` */
    int level;            /* 0: the usual one */
    char *name;           /* pattern (plan/filename.h) */
    char *latest;         /* pattern of the copy that stays; NULL: none */
    char *keys;           /* file of public keys; NULL: none */
    char **recipients;    /* fingerprints; NULL: all of keys */
    Reference passphrase; /* NULL: none */
    RetentionPolicy keep; /* empty: everything */
} ArchiveConfig;

extern const Table archive_table;

/* Of a checked object. */
ArchiveConfig *archive_config_new(const json_t *object);
void archive_config_free(ArchiveConfig *archive);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ArchiveConfig, archive_config_free)
