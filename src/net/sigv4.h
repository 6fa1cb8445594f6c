/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4 in the Authorization header (Amazon S3 API Reference, "Authenticating
 * Requests: Using the Authorization Header"). A pure function; its tests are the published vectors.
 * libcurl has a signer of its own, but the one in Debian 12 signs no payload hash, which S3 wants.
 */
#pragma once
#include "base/secret.h"
#include "net/http.h"

/* One set of keys. */
typedef struct {
    const char *access_key;
    const char *secret_key;
    const char *session_token; /* NULL: none */
    int64_t expires_at;        /* Unix seconds; 0: never */
    Secret *locked;            /* what the three lie in; NULL: they are the caller's own */
} AwsKeys;

/* Copies the three into locked memory. */
void aws_keys_set(AwsKeys *keys, const char *access_key, const char *secret_key,
                  const char *session_token, int64_t expires_at);
void aws_keys_clear(AwsKeys *keys); /* wipes */
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AwsKeys, aws_keys_clear)

typedef struct {
    const char *method;
    const char *host;        /* as it goes into the Host header, port included where it does */
    const char *path;        /* escaped, begins with '/' */
    const char *query;       /* escaped, in any order, without '?'; NULL or "": none */
    const HttpHeader *extra; /* further headers that are signed: x-amz-*, content-md5, ... */
    size_t n_extra;
    const char *payload; /* SHA-256 of the body in hex, or "UNSIGNED-PAYLOAD" */
    const char *region, *service;
    bool escape_path_again; /* true for every service but S3 */
    int64_t now;            /* Unix seconds */
} SigV4Request;

typedef struct {
    char date[17];       /* x-amz-date: 20150830T123600Z */
    char *authorization; /* the header's value */
} SigV4Signature;
void sigv4_signature_clear(SigV4Signature *signature);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SigV4Signature, sigv4_signature_clear)

/* Signs host, x-amz-date, x-amz-content-sha256 (service "s3" only), x-amz-security-token (with a
 * session) and extra; the caller sends exactly these. */
void sigv4_sign(const SigV4Request *request, const AwsKeys *keys, SigV4Signature *ret_signature);

/* Escapes all but A-Za-z0-9-._~ (and '/', when asked) with capital hex digits, onto text. */
void sigv4_escape(GString *text, const char *bytes, bool keep_slash);
