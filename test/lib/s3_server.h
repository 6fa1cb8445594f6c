/* SPDX-License-Identifier: Apache-2.0 */
/* A throw-away S3 server for a test (scripts/throwaway-s3): Ceph's radosgw on 127.0.0.1, over plain
 * HTTP and over TLS with an authority of its own. It checks signatures, payload hashes and clocks.
 */
#pragma once
#include <glib.h>

typedef struct {
    char *access_key, *secret_key;
} S3User;

typedef struct {
    char *directory;
    char *endpoint, *tls_endpoint; /* "http://127.0.0.1:<port>", "https://127.0.0.1:<port>" */
    char *ca;                      /* a file: the authority that signed the certificate */
    char *region;
    S3User user; /* owns what s3_server_shell() makes */
} S3Server;

/* Ends the test program when it cannot be had. It is stopped too when the program just ends. */
S3Server *s3_server_start(void);
void s3_server_stop(S3Server *server);
/* One more user, made when it is not there. */
S3User *s3_server_user(const S3Server *server, const char *name);
void s3_user_free(S3User *user);
/* A shell command with S3_ENDPOINT, S3_TLS_ENDPOINT, S3_CA, S3_REGION, S3_ACCESS_KEY and
 * S3_SECRET_KEY set, and "s3" for test/lib/s3.py: "s3 make-bucket one versioned". Asserts status 0,
 * returns what it printed. */
GBytes *s3_server_shell(const S3Server *server, const char *command);
