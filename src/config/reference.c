/* SPDX-License-Identifier: Apache-2.0 */
#include "config/reference.h"

#include "base/error.h"
#include "config/secrets.h"
#include <string.h>

#define PART "#password"

static bool from_variable(const char *what, const char *name, Secret **ret_secret, GError **error)
{
    const char *value = g_getenv(name);

    if (!value || !*value) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: the variable %s is not set", what, name);
        return false;
    }
    *ret_secret = secret_new(value, strlen(value));
    return true;
}

static bool from_credential(const char *what, const char *name, Secret **ret_secret, GError **error)
{
    const char *directory = g_getenv("CREDENTIALS_DIRECTORY");
    g_autofree char *path = NULL;

    if (!directory || !*directory) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s: cred://%s is handed over by systemd, and it has handed over none; see "
                    "LoadCredential= in systemd.exec(5)",
                    what, name);
        return false;
    }
    path = g_build_filename(directory, name, NULL);
    return secret_from_file(what, path, ret_secret, error);
}

static bool is_variable(const char *name)
{
    return *name && !g_ascii_isdigit(*name) &&
           name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] ==
               '\0';
}

/* systemd.exec(5): credentials are named as files in one directory. */
static bool is_credential(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/');
}

static bool is_absolute(const char *path)
{
    return g_path_is_absolute(path);
}

static bool is_command(const char *command)
{
    g_auto(GStrv) argv = NULL;

    return g_shell_parse_argv(command, NULL, &argv, NULL);
}

static const struct {
    const char *scheme;
    const char *problem;
    bool (*fits)(const char *rest);
    bool (*resolve)(const char *what, const char *rest, Secret **ret_secret, GError **error);
} schemes[] = {
    { "env://", "env:// is followed by the name of a variable", is_variable, from_variable },
    { "file://", "file:// is followed by an absolute path: file:///etc/backstay/password",
      is_absolute, secret_from_file },
    { "cred://", "cred:// is followed by the name of a credential of systemd", is_credential,
      from_credential },
    { "command://", "command:// is followed by a command line", is_command, secret_from_command },
};

static int scheme_of(const char *text)
{
    for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++)
        if (g_str_has_prefix(text, schemes[i].scheme))
            return (int)i;
    return -1;
}

/* What comes before "#password"; NULL without it. */
static char *without_part(const char *text)
{
    return g_str_has_suffix(text, PART) ? g_strndup(text, strlen(text) - strlen(PART)) : NULL;
}

bool reference_is(const char *text)
{
    return scheme_of(text) >= 0;
}

bool reference_check(const char *reference, GError **error)
{
    g_autofree char *whole = without_part(reference);
    const char *text = whole ? whole : reference;
    int i = scheme_of(text);

    if (i < 0)
        g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE,
                            "secrets are not written here; say where it is: file:///PATH, "
                            "env://NAME, cred://NAME or command://COMMAND");
    else if (!schemes[i].fits(text + strlen(schemes[i].scheme)))
        g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE, schemes[i].problem);
    else
        return true;
    return false;
}

/* RFC 3986, section 3.2.1: user:password@ before the host. */
static Secret *password_within(const Secret *url)
{
    const char *text = secret_data(url), *after = strstr(text, "://");
    const char *begin = after ? after + strlen("://") : text;
    const char *at = g_strrstr_len(begin, (gssize)strcspn(begin, "/?#"), "@");
    const char *colon = at ? memchr(begin, ':', (size_t)(at - begin)) : NULL;
    char *password = colon ? g_uri_unescape_segment(colon + 1, at, NULL) : NULL;
    Secret *secret = password ? secret_new(password, strlen(password)) : NULL;

    if (password)
        secret_wipe(password, strlen(password));
    g_free(password);
    return secret;
}

static bool resolve_whole(const char *what, const char *reference, Secret **ret_secret,
                          GError **error)
{
    int i = scheme_of(reference);

    if (!reference_check(reference, error)) {
        g_prefix_error(error, "%s: ", what);
        return false;
    }
    return schemes[i].resolve(what, reference + strlen(schemes[i].scheme), ret_secret, error);
}

bool reference_resolve(const char *what, const char *reference, Secret **ret_secret, GError **error)
{
    g_autofree char *whole = without_part(reference);
    g_autoptr(Secret) url = NULL;

    if (!whole)
        return resolve_whole(what, reference, ret_secret, error);
    if (!resolve_whole(what, whole, &url, error))
        return false;
    *ret_secret = password_within(url);
    if (*ret_secret)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: no password stands in the URL of %s", what,
                whole);
    return false;
}
