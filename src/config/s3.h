/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user says of buckets that speak S3: "-o s3.KEY=VALUE" with restic's keys and a few of
 * ours, and the environment that people already have (conventions, section 1).
 */
#pragma once
#include "base/secret.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { S3_LOOKUP_AUTO, S3_LOOKUP_PATH, S3_LOOKUP_DNS } S3Lookup;
/* OFF: "none" was said, which is NONE once all is parsed. */
typedef enum { S3_RETAIN_NONE, S3_RETAIN_GOVERNANCE, S3_RETAIN_COMPLIANCE, S3_RETAIN_OFF } S3Retain;

/* NULL and 0: nothing was said. */
typedef struct {
    char *region, *storage_class, *encryption, *encryption_key;
    S3Lookup lookup;
    S3Retain object_lock;
    unsigned object_lock_days; /* set when object_lock is */
    unsigned connections, requests_per_second;
    int64_t retry_deadline_ms; /* -1: one try */
} S3Settings;
void s3_settings_clear(S3Settings *settings);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(S3Settings, s3_settings_clear)

/* Every key also has a variable: s3.storage-class is BACKSTAY_S3_STORAGE_CLASS. options: a
 * NULL-terminated list of "s3.KEY=VALUE", the last of several counts; may be NULL. BS_ERROR_USAGE
 * for what is unknown. */
bool s3_settings_parse(char *const *options, S3Settings *ret_settings, GError **error);

/* Where the keys come from, and where the bucket lies when the location does not say. Plain members
 * are borrowed from the environment; NULL: not set. */
typedef struct {
    char *endpoint; /* with scheme, without a slash at the end */
    const char *region;
    Secret *access_key, *secret_key, *session_token;
    const char *web_identity_file, *role_arn, *role_session;
    const char *credentials_file, *config_file, *profile;
    const char *assume_role_arn, *assume_session, *assume_external_id, *assume_policy;
    const char *assume_region, *sts_endpoint;
} S3Access;
void s3_access_clear(S3Access *access);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(S3Access, s3_access_clear)

/*
 * BACKSTAY_S3_* come first, then BACKUP_S3_*, then AWS_*: the first family that names a key or a
 * profile gives all of them. infix "FROM_" (the other repository of copy and init) or
 * "MIRROR_<NAME>_": BACKSTAY_FROM_S3_* and so on come before all. BS_ERROR_USAGE.
 */
bool s3_access_load(const char *infix, S3Access *ret_access, GError **error);

/* Keys of a repository of the configuration: references, NULL where it names none. They come before
 * all but BACKSTAY_S3_*. region is borrowed. */
bool s3_access_named(const char *access_key, const char *secret_key, const char *session_token,
                     const char *region, S3Access *access, GError **error);

/* "s3:ENDPOINT/BUCKET" from BACKUP_S3_ENDPOINT and BACKUP_S3_BUCKET; "s3:BUCKET" without the
 * former, NULL without the latter. */
char *s3_location_from_environment(void);
