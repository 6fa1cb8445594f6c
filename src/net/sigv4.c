/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sigv4.h"

#include "codec/hash.h"
#include <openssl/hmac.h>
#include <string.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define HMAC_LEN  32
#define LAST_TIME                                                                                  \
    INT64_C(253402300799) /* the end of the year 9999: the date has room for four digits */

/* ---- keys ---- */

void aws_keys_set(AwsKeys *keys, const char *access_key, const char *secret_key,
                  const char *session_token, int64_t expires_at)
{
    size_t access_len = strlen(access_key) + 1, secret_len = strlen(secret_key) + 1;
    size_t token_len = session_token ? strlen(session_token) + 1 : 0;
    size_t len = access_len + secret_len + token_len;
    g_autofree char *all = g_malloc(len);
    const char *locked;

    memcpy(all, access_key, access_len);
    memcpy(all + access_len, secret_key, secret_len);
    if (session_token)
        memcpy(all + access_len + secret_len, session_token, token_len);
    aws_keys_clear(keys);
    keys->locked = secret_new(all, len);
    secret_wipe(all, len);
    locked = secret_data(keys->locked);
    keys->access_key = locked;
    keys->secret_key = locked + access_len;
    keys->session_token = session_token ? locked + access_len + secret_len : NULL;
    keys->expires_at = expires_at;
}

void aws_keys_clear(AwsKeys *keys)
{
    secret_free(keys->locked);
    *keys = (AwsKeys){ 0 };
}

/* ---- escaping ---- */

static bool is_plain(char c)
{
    return g_ascii_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

void sigv4_escape(GString *text, const char *bytes, bool keep_slash)
{
    for (; *bytes; bytes++) {
        if (is_plain(*bytes) || (keep_slash && *bytes == '/'))
            g_string_append_c(text, *bytes);
        else
            g_string_append_printf(text, "%%%02X", (guint8)*bytes);
    }
}

/* ---- the canonical request ---- */

/* A header, or a parameter of the query. */
typedef struct {
    char *name;
    char *value;
} Pair;

static void pair_clear(void *pair)
{
    g_free(((Pair *)pair)->name);
    g_free(((Pair *)pair)->value);
}

static GArray *pairs_new(void)
{
    GArray *pairs = g_array_new(FALSE, FALSE, sizeof(Pair));

    g_array_set_clear_func(pairs, pair_clear);
    return pairs;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const Pair *)a)->name, ((const Pair *)b)->name);
}

static int by_name_and_value(const void *a, const void *b)
{
    int order = by_name(a, b);

    return order ? order : strcmp(((const Pair *)a)->value, ((const Pair *)b)->value);
}

/* Without blanks at both ends, and one where there are several. */
static char *folded(const char *value)
{
    GString *text = g_string_new(NULL);

    for (; *value; value++)
        if (!g_ascii_isspace(*value))
            g_string_append_c(text, *value);
        else if (text->len > 0 && text->str[text->len - 1] != ' ')
            g_string_append_c(text, ' ');
    if (text->len > 0 && text->str[text->len - 1] == ' ')
        g_string_truncate(text, text->len - 1);
    return g_string_free(text, FALSE);
}

static void add_header(GArray *headers, const char *name, const char *value)
{
    Pair header = { g_ascii_strdown(name, -1), folded(value) };

    g_array_append_val(headers, header);
}

static GArray *signed_headers(const SigV4Request *request, const AwsKeys *keys, const char *date)
{
    GArray *headers = pairs_new();

    add_header(headers, "host", request->host);
    add_header(headers, "x-amz-date", date);
    if (strcmp(request->service, "s3") == 0)
        add_header(headers, "x-amz-content-sha256", request->payload);
    if (keys->session_token)
        add_header(headers, "x-amz-security-token", keys->session_token);
    for (size_t i = 0; i < request->n_extra; i++)
        add_header(headers, request->extra[i].name, request->extra[i].value);
    g_array_sort(headers, by_name); // stable: several of one name stay in their order
    return headers;
}

/* "name:value" lines and "name;name"; those of one name become one, with commas. */
static void append_headers(const GArray *headers, GString *lines, GString *names)
{
    for (guint i = 0; i < headers->len; i++) {
        const Pair *header = &g_array_index(headers, Pair, i);

        if (i > 0 && by_name(header, header - 1) == 0) {
            g_string_append_printf(lines, ",%s", header->value);
            continue;
        }
        g_string_append_printf(lines, "%s%s:%s", i > 0 ? "\n" : "", header->name, header->value);
        g_string_append_printf(names, "%s%s", i > 0 ? ";" : "", header->name);
    }
    g_string_append_c(lines, '\n');
}

static void append_query(GString *text, const char *query)
{
    g_autoptr(GArray) parameters = pairs_new();
    g_auto(GStrv) parts = g_strsplit(query ? query : "", "&", -1);

    for (char **part = parts; *part; part++) {
        const char *equals = strchr(*part, '=');
        Pair parameter = { equals ? g_strndup(*part, (gsize)(equals - *part)) : g_strdup(*part),
                           g_strdup(equals ? equals + 1 : "") };

        g_array_append_val(parameters, parameter);
    }
    g_array_sort(parameters, by_name_and_value);
    for (guint i = 0; i < parameters->len; i++) {
        const Pair *parameter = &g_array_index(parameters, Pair, i);

        g_string_append_printf(text, "%s%s=%s", i > 0 ? "&" : "", parameter->name,
                               parameter->value);
    }
}

static void append_path(GString *text, const SigV4Request *request)
{
    if (request->escape_path_again)
        sigv4_escape(text, request->path, true);
    else
        g_string_append(text, request->path);
}

static GString *canonical_request(const SigV4Request *request, const GArray *headers,
                                  GString *names)
{
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "%s\n", request->method);
    append_path(text, request);
    g_string_append_c(text, '\n');
    append_query(text, request->query);
    g_string_append_c(text, '\n');
    append_headers(headers, text, names);
    g_string_append_printf(text, "\n%s\n%s", names->str, request->payload);
    return text;
}

/* ---- the signature ---- */

static void hmac(const void *key, size_t key_len, const char *text, uint8_t out[HMAC_LEN])
{
    unsigned len = 0;

    if (!HMAC(EVP_sha256(), key, (int)key_len, (const uint8_t *)text, strlen(text), out, &len) ||
        len != HMAC_LEN)
        g_error("libcrypto: HMAC-SHA256 failed");
}

/* AWS4 + secret -> date -> region -> service -> "aws4_request" */
static void signing_key(const SigV4Request *request, const AwsKeys *keys, const char *day,
                        uint8_t key[HMAC_LEN])
{
    const char *const steps[] = { request->region, request->service, "aws4_request" };
    g_autofree char *secret = g_strconcat("AWS4", keys->secret_key, NULL);
    uint8_t next[HMAC_LEN];

    hmac(secret, strlen(secret), day, key);
    secret_wipe(secret, strlen(secret));
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        hmac(key, HMAC_LEN, steps[i], next);
        memcpy(key, next, HMAC_LEN);
    }
    secret_wipe(next, sizeof next);
}

static void format_date(int64_t now, char date[17])
{
    time_t seconds = (time_t)CLAMP(now, 0, LAST_TIME);
    struct tm tm;

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(date, 17, "%Y%m%dT%H%M%SZ", &tm);
}

static void append_hex(GString *text, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        g_string_append_printf(text, "%02x", bytes[i]);
}

void sigv4_sign(const SigV4Request *request, const AwsKeys *keys, SigV4Signature *ret_signature)
{
    SigV4Signature signature = { 0 };
    g_autoptr(GArray) headers = NULL;
    g_autoptr(GString) names = g_string_new(NULL);
    g_autoptr(GString) canonical = NULL;
    g_autofree char *scope = NULL, *to_sign = NULL;
    GString *text = g_string_new(NULL);
    char day[9] = "";
    uint8_t key[HMAC_LEN], result[HMAC_LEN];
    Id hash;

    format_date(request->now, signature.date);
    memcpy(day, signature.date, 8);
    headers = signed_headers(request, keys, signature.date);
    canonical = canonical_request(request, headers, names);
    hash_bytes(canonical->str, canonical->len, &hash);
    scope = g_strdup_printf("%s/%s/%s/aws4_request", day, request->region, request->service);
    to_sign = g_strdup_printf(ALGORITHM "\n%s\n%s\n%s", signature.date, scope, id_hex(&hash).text);
    signing_key(request, keys, day, key);
    hmac(key, sizeof key, to_sign, result);
    secret_wipe(key, sizeof key);
    g_string_append_printf(text, ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=",
                           keys->access_key, scope, names->str);
    append_hex(text, result, sizeof result);
    signature.authorization = g_string_free(text, FALSE);
    *ret_signature = signature;
}

void sigv4_signature_clear(SigV4Signature *signature)
{
    g_clear_pointer(&signature->authorization, g_free);
}
