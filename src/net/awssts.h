/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys for a while from the Security Token Service (AWS Security Token Service API Reference,
 * version 2011-06-15; Ceph and others speak it, too). Any thread.
 */
#pragma once
#include "net/sigv4.h"

typedef struct {
    const char *endpoint; /* NULL: Amazon's, in region when that is given */
    const char *region;   /* may be NULL */
    const char *role_arn, *session;
    const char *web_identity;         /* token: AssumeRoleWithWebIdentity, not signed */
    const AwsKeys *signer;            /* else AssumeRole, signed with these */
    const char *external_id, *policy; /* NULL: none; for AssumeRole only */
} StsRequest;

/* BS_ERROR_DENIED with the service's own words; BS_ERROR_TRANSIENT when it cannot answer now;
 * BS_ERROR_CORRUPT when what came are no keys. */
bool sts_assume_role(HttpClient *http, const StsRequest *request, AwsKeys *ret_keys,
                     GError **error);

/* What a success says. BS_ERROR_CORRUPT. */
bool sts_answer_parse(const GByteArray *body, AwsKeys *ret_keys, GError **error);
