/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands for a user without being his password: sessions, API tokens, the setup token. Each is
 * "<id>.<secret>": the id finds it, and of the secret only a SHA-256 is kept. 256 random bits need
 * no slow hash. Pure but for the random bytes.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_ID_LEN     16u /* hexadecimal digits */
#define TOKEN_SECRET_LEN 32u /* bytes */

typedef struct {
    char id[TOKEN_ID_LEN + 1];
    char *text; /* what is handed out, once; wiped when freed */
    char *hash; /* what is kept: 64 hexadecimal digits */
} Token;

/* prefix: "bst_" for API tokens, so that scanners of repositories know them; "" for none. */
Token *token_new(const char *prefix);
void token_free(Token *token);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Token, token_free)

/* The id in a text of this form; false: it is none. */
bool token_id(const char *prefix, const char *text, char ret_id[TOKEN_ID_LEN + 1]);
/* Whether text is what hash was kept of, in a time that says nothing of where they differ. */
bool token_fits(const char *text, const char *hash);
/* The SHA-256 of any text, as 64 hexadecimal digits. */
char *token_hash(const char *text);

/* Another secret that follows from one, for those who hold it: HMAC-SHA256 under a label. */
char *token_derive(const char *text, const char *label);
bool token_equal(const char *a, const char *b); /* in constant time; NULL equals nothing */

/* base64url without padding (RFC 4648, section 5), and back: exactly len bytes. */
char *token_text(const void *data, size_t len);
bool token_bytes(const char *text, void *data, size_t len);
