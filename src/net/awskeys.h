/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the keys for a bucket come from: given ones, the shared credentials file, a web identity
 * token, an assumed role. They may expire: who uses them asks for each request and says when the
 * server has called a set expired. Any thread.
 */
#pragma once
#include "net/sigv4.h"

typedef struct AwsCredentials AwsCredentials;

/* Copied. Tried in this order; the first that is given decides, and its failure is a failure. */
typedef struct {
    const char *access_key, *secret_key, *session_token; /* 1: both of the first two, or neither */
    const char *web_identity_file, *role_arn, *role_session; /* 2: AssumeRoleWithWebIdentity */
    /* 3: NULL: ~/.aws/credentials, ~/.aws/config and "default" */
    const char *shared_file, *config_file, *profile;
    /* A role assumed with what the above gave (RESTIC_AWS_ASSUME_ROLE_ARN...); NULL: none */
    const char *assume_role_arn, *assume_session, *assume_external_id, *assume_policy;
    const char *sts_endpoint; /* NULL: https://sts.<region>.amazonaws.com */
    const char *region;       /* of that service; NULL: what the profile says */
} AwsSources;

/* http is borrowed and must outlive. Asks nobody yet, but reads the files of a profile.
 * BS_ERROR_USAGE: nothing is given, or half of what belongs together; the text says what could
 * be. */
bool aws_credentials_new(const AwsSources *sources, HttpClient *http,
                         AwsCredentials **ret_credentials, GError **error);
void aws_credentials_free(AwsCredentials *credentials);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AwsCredentials, aws_credentials_free)

/* The region that the profile in use names; NULL: none. Lives as long as the credentials. */
const char *aws_credentials_region(const AwsCredentials *credentials);

/* A set that is good for five minutes at least, renewed when it is not; when that fails, one that
 * is still good at all. The caller clears it. */
bool aws_credentials_get(AwsCredentials *credentials, AwsKeys *ret_keys, GError **error);
/* The server called this set expired or unknown: true when the next get may bring another one. */
bool aws_credentials_refused(AwsCredentials *credentials, const AwsKeys *keys);
