/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/config.h"

#include "base/error.h"
#include "codec/polynomial.h"

#include <jansson.h>
#include <string.h>

#define VERSION_MAX 2

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

static bool fail(GError **error, const char *what)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "config is damaged: %s", what);
    return false;
}

static bool parse_version(const json_t *object, unsigned *ret_version, GError **error)
{
    const json_t *value = json_object_get(object, "version");
    json_int_t version = json_integer_value(value);

    if (!json_is_integer(value) || version < 1)
        return fail(error, "no version");
    if (version > VERSION_MAX) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "the repository has format version %" JSON_INTEGER_FORMAT
                    ", this program knows 1 and 2; use a newer one",
                    version);
        return false;
    }
    *ret_version = (unsigned)version;
    return true;
}

static bool parse_polynomial(const json_t *object, uint64_t *ret_polynomial, GError **error)
{
    const char *text = json_string_value(json_object_get(object, "chunker_polynomial"));
    size_t len = text ? strlen(text) : 0;
    uint64_t polynomial;

    if (len == 0 || len > 16 || strspn(text, "0123456789abcdefABCDEF") != len)
        return fail(error, "no chunker polynomial");
    polynomial = g_ascii_strtoull(text, NULL, 16);
    if (!polynomial_irreducible(polynomial))
        return fail(error, "the chunker polynomial is not irreducible");
    *ret_polynomial = polynomial;
    return true;
}

bool config_decode(const char *text, size_t len, RepoConfig *ret_config, GError **error)
{
    g_autoptr(json_t) object = json_loadb(text, len, 0, NULL);
    RepoConfig config;
    const char *id;

    if (!json_is_object(object))
        return fail(error, "not a JSON object");
    if (!parse_version(object, &config.version, error))
        return false;
    id = json_string_value(json_object_get(object, "id"));
    if (!id || !id_parse(id, &config.id))
        return fail(error, "no id");
    if (!parse_polynomial(object, &config.polynomial, error))
        return false;
    *ret_config = config;
    return true;
}

char *config_encode(const RepoConfig *config)
{
    return g_strdup_printf(
        "{\"version\":%u,\"id\":\"%s\",\"chunker_polynomial\":\"%" G_GINT64_MODIFIER "x\"}",
        config->version, id_hex(&config->id).text, config->polynomial);
}
