/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/keyfile.h"

#include "base/error.h"
#include "codec/json.h"
#include "codec/kdf.h"
#include "codec/rfc3339.h"

#include <jansson.h>
#include <string.h>

#define MASTER_TEXT_MAX 4096u /* restic's is 125 bytes */

/* 32 MiB and a third of a second on one core: the floor of OWASP's Password Storage Cheat Sheet for
 * this memory. Every command pays it. */
const KeyCost key_cost_default = { .n = 32768, .r = 8, .p = 3 };

/* ---- JSON fields ---- */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

static bool fail(GError **error, const char *what)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "key file is damaged: %s", what);
    return false;
}

static json_t *parse_object(const void *text, size_t len, GError **error)
{
    g_autoptr(json_t) object = json_loadb(text, len, 0, NULL);

    if (json_is_object(object))
        return g_steal_pointer(&object);
    fail(error, "not a JSON object");
    return NULL;
}

static bool parse_number(const json_t *object, const char *field, uint64_t max, uint64_t *ret,
                         GError **error)
{
    const json_t *value = json_object_get(object, field);
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 1 || (uint64_t)number > max)
        return fail(error, field);
    *ret = (uint64_t)number;
    return true;
}

/* The standard alphabet with padding and nothing else: GLib's decoder passes over what it does not
 * know. */
static bool is_base64(const char *text, size_t len)
{
    size_t digits =
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

    return len % 4 == 0 && len - digits <= 2 && strspn(text + digits, "=") == len - digits;
}

static bool parse_base64(const json_t *object, const char *field, size_t min, size_t max,
                         GByteArray **ret, GError **error)
{
    const json_t *value = json_object_get(object, field);
    const char *text = json_string_value(value);
    g_autofree uint8_t *bytes = NULL;
    gsize len;

    if (!text || !is_base64(text, json_string_length(value)))
        return fail(error, field);
    bytes = g_base64_decode(text, &len);
    if (len < min || len > max)
        return fail(error, field);
    *ret = g_byte_array_new_take(g_steal_pointer(&bytes), len);
    return true;
}

/* ---- reading ---- */

static bool parse_sealed(const json_t *object, KeyFile *keyfile, GError **error)
{
    const char *kdf = json_string_value(json_object_get(object, "kdf"));
    g_autoptr(GByteArray) salt = NULL;
    uint64_t r, p;

    if (!kdf)
        return fail(error, "kdf");
    if (strcmp(kdf, "scrypt") != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "key derivation '%s' is not known", kdf);
        return false;
    }
    if (!parse_number(object, "N", INT64_MAX, &keyfile->n, error) ||
        !parse_number(object, "r", UINT32_MAX, &r, error) ||
        !parse_number(object, "p", UINT32_MAX, &p, error) ||
        !parse_base64(object, "salt", sizeof keyfile->salt, sizeof keyfile->salt, &salt, error) ||
        !parse_base64(object, "data", SEAL_OVERHEAD, MASTER_TEXT_MAX, &keyfile->data, error))
        return false;
    keyfile->r = (uint32_t)r;
    keyfile->p = (uint32_t)p;
    memcpy(keyfile->salt, salt->data, sizeof keyfile->salt);
    return true;
}

KeyFile *keyfile_decode(const void *text, size_t len, GError **error)
{
    g_autoptr(KeyFile) keyfile = g_new0(KeyFile, 1);
    g_autoptr(json_t) object = parse_object(text, len, error);
    const char *created;

    if (!object || !parse_sealed(object, keyfile, error))
        return NULL;
    // what only informs may be wrong or absent: the key opens without it
    keyfile->username = g_strdup(json_string_value(json_object_get(object, "username")));
    keyfile->hostname = g_strdup(json_string_value(json_object_get(object, "hostname")));
    created = json_string_value(json_object_get(object, "created"));
    if (created)
        (void)rfc3339_parse(created, strlen(created), &keyfile->created, NULL);
    return g_steal_pointer(&keyfile);
}

void keyfile_free(KeyFile *keyfile)
{
    if (!keyfile)
        return;
    g_free(keyfile->username);
    g_free(keyfile->hostname);
    if (keyfile->data)
        g_byte_array_unref(keyfile->data);
    g_free(keyfile);
}

/* One part of the master key; the text it came from is wiped, too. */
static bool take_part(json_t *object, const char *field, uint8_t *part, size_t len, GError **error)
{
    json_t *value = json_object_get(object, field);
    g_autoptr(GByteArray) bytes = NULL;

    if (!parse_base64(object, field, len, len, &bytes, error))
        return false;
    memcpy(part, bytes->data, len);
    secret_wipe(bytes->data, bytes->len);
    secret_wipe((char *)json_string_value(value), json_string_length(value));
    return true;
}

bool keyfile_decode_master(const void *text, size_t len, SealKey *ret_master, GError **error)
{
    g_autoptr(json_t) object = parse_object(text, len, error);
    json_t *mac = json_object_get(object, "mac");
    SealKey master;
    bool ok = object && take_part(mac, "k", master.mac_k, sizeof master.mac_k, error) &&
              take_part(mac, "r", master.mac_r, sizeof master.mac_r, error) &&
              take_part(object, "encrypt", master.encrypt, sizeof master.encrypt, error);

    if (ok)
        *ret_master = master;
    secret_wipe(&master, sizeof master);
    return ok;
}

bool keyfile_open(const KeyFile *keyfile, const Secret *password, SealKey *ret_master,
                  GError **error)
{
    g_autoptr(Sealer) sealer = NULL;
    uint8_t text[MASTER_TEXT_MAX];
    size_t len = keyfile->data->len - SEAL_OVERHEAD;
    SealKey user;
    bool ok;

    if (!kdf_scrypt(secret_data(password), secret_len(password), keyfile->salt,
                    sizeof keyfile->salt, keyfile->n, keyfile->r, keyfile->p, &user, error))
        return false;
    sealer = sealer_new(&user);
    secret_wipe(&user, sizeof user);
    if (!unseal(sealer, keyfile->data->data, keyfile->data->len, text, NULL)) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_PASSWORD,
                            "the password does not open this key");
        return false;
    }
    ok = keyfile_decode_master(text, len, ret_master, error);
    secret_wipe(text, sizeof text);
    return ok;
}

/* ---- writing ---- */

static GString *encode_master(const SealKey *master)
{
    GString *text = g_string_sized_new(256); // never grown: no copies of it remain

    g_string_append(text, "{\"mac\":{\"k\":");
    json_append_base64(text, master->mac_k, sizeof master->mac_k);
    g_string_append(text, ",\"r\":");
    json_append_base64(text, master->mac_r, sizeof master->mac_r);
    g_string_append(text, "},\"encrypt\":");
    json_append_base64(text, master->encrypt, sizeof master->encrypt);
    g_string_append_c(text, '}');
    return text;
}

static void seal_master(const SealKey *user, const SealKey *master, GByteArray *out)
{
    g_autoptr(Sealer) sealer = sealer_new(user);
    g_autoptr(GString) text = encode_master(master);

    g_byte_array_set_size(out, (guint)text->len + SEAL_OVERHEAD);
    seal(sealer, text->str, text->len, out->data);
    secret_wipe(text->str, text->len);
}

static void append_field(GString *text, const char *field, const char *value)
{
    g_string_append_printf(text, "\"%s\":", field);
    json_append_string(text, value ? value : "", value ? strlen(value) : 0);
    g_string_append_c(text, ',');
}

/* The fields in the order of restic (repository format, "Keys"). */
static GBytes *encode_text(const KeyFile *keyfile)
{
    GString *text = g_string_new("{");
    char created[RFC3339_MAX];

    rfc3339_format(keyfile->created, created);
    append_field(text, "created", created);
    append_field(text, "username", keyfile->username);
    append_field(text, "hostname", keyfile->hostname);
    append_field(text, "kdf", "scrypt");
    g_string_append_printf(text,
                           "\"N\":%" G_GUINT64_FORMAT ",\"r\":%u,\"p\":%u,\"salt\":", keyfile->n,
                           keyfile->r, keyfile->p);
    json_append_base64(text, keyfile->salt, sizeof keyfile->salt);
    g_string_append(text, ",\"data\":");
    json_append_base64(text, keyfile->data->data, keyfile->data->len);
    g_string_append_c(text, '}');
    return g_string_free_to_bytes(text);
}

GBytes *keyfile_encode(const SealKey *master, const Secret *password, KeyCost cost,
                       const char *username, const char *hostname, GError **error)
{
    g_autoptr(KeyFile) keyfile = g_new0(KeyFile, 1);
    SealKey user;

    keyfile->username = g_strdup(username);
    keyfile->hostname = g_strdup(hostname);
    keyfile->created = clock_now();
    keyfile->n = cost.n;
    keyfile->r = cost.r;
    keyfile->p = cost.p;
    keyfile->data = g_byte_array_new();
    random_bytes(keyfile->salt, sizeof keyfile->salt);
    if (!kdf_scrypt(secret_data(password), secret_len(password), keyfile->salt,
                    sizeof keyfile->salt, keyfile->n, keyfile->r, keyfile->p, &user, error))
        return NULL;
    seal_master(&user, master, keyfile->data);
    secret_wipe(&user, sizeof user);
    return encode_text(keyfile);
}
