/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webtoken.h"

#include "base/id.h"
#include "base/secret.h"
#include "codec/hash.h"
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <string.h>

char *token_text(const void *data, size_t len)
{
    char *text = g_base64_encode(data, len);

    g_strdelimit(text, "+", '-');
    g_strdelimit(text, "/", '_');
    text[strcspn(text, "=")] = '\0';
    return text;
}

bool token_bytes(const char *text, void *data, size_t len)
{
    g_autofree char *standard = NULL, *again = NULL;
    g_autofree guchar *bytes = NULL;
    gsize n = 0;

    if (strlen(text) != (len * 4 + 2) / 3)
        return false;
    standard = g_strdelimit(g_strdelimit(g_strconcat(text, "==", NULL), "-", '+'), "_", '/');
    standard[(strlen(text) + 3) / 4 * 4] = '\0';
    bytes = g_base64_decode(standard, &n);
    if (n != len)
        return false;
    // GLib passes over what it does not know, and so would two texts be one
    again = token_text(bytes, n);
    if (strcmp(again, text) != 0)
        return false;
    memcpy(data, bytes, len);
    return true;
}

char *token_hash(const char *text)
{
    Id id;

    hash_bytes(text, strlen(text), &id);
    return g_strdup(id_hex(&id).text);
}

Token *token_new(const char *prefix)
{
    Token *token = g_new0(Token, 1);
    uint8_t id[TOKEN_ID_LEN / 2], secret[TOKEN_SECRET_LEN];
    g_autofree char *secret_text = NULL;

    random_bytes(id, sizeof id);
    random_bytes(secret, sizeof secret);
    for (size_t i = 0; i < sizeof id; i++)
        (void)g_snprintf(token->id + 2 * i, 3, "%02x", id[i]);
    secret_text = token_text(secret, sizeof secret);
    token->text = g_strconcat(prefix, token->id, ".", secret_text, NULL);
    token->hash = token_hash(token->text);
    secret_wipe(secret, sizeof secret);
    secret_wipe(secret_text, strlen(secret_text));
    return token;
}

void token_free(Token *token)
{
    if (!token)
        return;
    if (token->text)
        secret_wipe(token->text, strlen(token->text));
    g_free(token->text);
    g_free(token->hash);
    g_free(token);
}

bool token_id(const char *prefix, const char *text, char ret_id[TOKEN_ID_LEN + 1])
{
    uint8_t secret[TOKEN_SECRET_LEN];
    bool fits;

    if (!g_str_has_prefix(text, prefix))
        return false;
    text += strlen(prefix);
    if (strspn(text, "0123456789abcdef") != TOKEN_ID_LEN || text[TOKEN_ID_LEN] != '.')
        return false;
    fits = token_bytes(text + TOKEN_ID_LEN + 1, secret, sizeof secret);
    secret_wipe(secret, sizeof secret);
    if (fits)
        (void)g_strlcpy(ret_id, text, TOKEN_ID_LEN + 1);
    return fits;
}

bool token_fits(const char *text, const char *hash)
{
    g_autofree char *of_text = token_hash(text);

    return token_equal(of_text, hash);
}

char *token_derive(const char *text, const char *label)
{
    unsigned char mac[32];
    unsigned len = sizeof mac;

    if (!HMAC(EVP_sha256(), text, (int)strlen(text), (const unsigned char *)label, strlen(label),
              mac, &len))
        g_error("libcrypto: HMAC failed");
    return token_text(mac, sizeof mac);
}

bool token_equal(const char *a, const char *b)
{
    size_t len = a ? strlen(a) : 0;

    return a && b && strlen(b) == len && CRYPTO_memcmp(a, b, len) == 0;
}
