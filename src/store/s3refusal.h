/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an S3 server says instead of doing what it was asked for (Amazon S3 API Reference, "Error
 * responses"), and what that means for us. Also an answer of 200 can be one. Pure.
 */
#pragma once
#include "net/http.h"

typedef struct {
    unsigned status;
    char *code;                       /* "NoSuchKey"; NULL: none was given */
    char *message;                    /* for people, on one line; NULL */
    char *region, *endpoint;          /* where the bucket lies instead; NULL */
    char *request_time, *server_time; /* of two clocks that may differ; the second may be NULL */
    int64_t wait_ms;                  /* Retry-After; 0 */
} S3Refusal;
void s3_refusal_clear(S3Refusal *refusal);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(S3Refusal, s3_refusal_clear)

/* False: it is none, the server has done it. Fills *ret_refusal otherwise. */
bool s3_refusal_read(const HttpReply *reply, S3Refusal *ret_refusal);

/* From XML below path: Code and Message of one object in the answer to a batch. */
void s3_refusal_set_one(S3Refusal *refusal, const char *name, const char *text);

bool s3_refusal_has_code(const S3Refusal *refusal, const char *code);
/* The keys that signed the request are none any more, or not yet. */
bool s3_refusal_is_of_keys(const S3Refusal *refusal);

/* "access denied (HTTP 403 AccessDenied): <message>; <what to do>", with the code for those who
 * decide: BS_ERROR_NOT_FOUND, NO_REPO (no such bucket), EXISTS, CORRUPT (a range beyond the end),
 * DENIED, NO_SPACE, TRANSIENT (with the wait), UNSUPPORTED, else FAILED. */
void s3_refusal_to_error(const S3Refusal *refusal, GError **error);
