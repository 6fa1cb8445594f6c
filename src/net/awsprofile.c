/* SPDX-License-Identifier: Apache-2.0 */
#include "net/awsprofile.h"

#include "base/error.h"
#include "base/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define FILE_MAX (256u * 1024)

/* ---- one file ---- */

/* Values point into the text. */
typedef struct {
    bool found;
    const char *access_key, *secret_key, *session_token, *region;
} Section;

static void take_value(Section *section, const char *key, const char *value)
{
    const struct {
        const char *key;
        const char **place;
    } known[] = {
        { "aws_access_key_id", &section->access_key },
        { "aws_secret_access_key", &section->secret_key },
        { "aws_session_token", &section->session_token },
        { "aws_security_token", &section->session_token }, // its older name
        { "region", &section->region },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (g_ascii_strcasecmp(key, known[i].key) == 0 && *value)
            *known[i].place = value;
}

/* "[name]" and, in the config file, "[profile name]". */
static bool is_section(char *line, const char *name, bool prefixed)
{
    char *end = strchr(line, ']');
    char *title = line + 1;

    if (end)
        *end = '\0';
    title = g_strstrip(title);
    if (prefixed && g_str_has_prefix(title, "profile") && g_ascii_isspace(title[7]))
        return strcmp(g_strchug(title + 7), name) == 0;
    return strcmp(title, name) == 0 && (!prefixed || strcmp(name, "default") == 0);
}

/* A comment begins the line, or follows a blank. */
static void cut_comment(char *line)
{
    for (char *at = line; *at; at++)
        if ((*at == '#' || *at == ';') && (at == line || g_ascii_isspace(at[-1]))) {
            *at = '\0';
            return;
        }
}

/* Writes zeros into the text. False at a line that is none of such a file. */
static bool parse(char *text, const char *name, bool prefixed, Section *ret_section)
{
    size_t depth = 0;
    bool mine = false, begun = false, has_key = false;

    for (char *next, *line = text; line; line = next) {
        size_t indent;
        char *equals;

        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        indent = strspn(line, " \t");
        cut_comment(line);
        line = g_strstrip(line);
        if (!*line)
            continue;
        if (has_key && indent > depth)
            continue; // belongs to the value above: "s3 =" and its settings
        if (*line == '[') {
            mine = is_section(line, name, prefixed);
            ret_section->found |= mine;
            begun = true;
            has_key = false;
            continue;
        }
        equals = strchr(line, '=');
        if (!equals || !begun)
            return false;
        *equals = '\0';
        depth = indent;
        has_key = true;
        if (mine)
            take_value(ret_section, g_strchomp(line), g_strchug(equals + 1));
    }
    return true;
}

/* The file with a zero behind it; *ret_len 0 and no text when it need not exist and does not. The
 * caller wipes. */
static bool read_text(const char *path, bool must_exist, char **ret_text, size_t *ret_len,
                      GError **error)
{
    fs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_autofree char *text = NULL;
    size_t len;

    if (fd < 0 && errno == ENOENT && !must_exist)
        return true;
    if (fd < 0) {
        bs_error_errno(error, errno, "credentials file %s", path);
        return false;
    }
    text = g_malloc(FILE_MAX + 1);
    if (!fs_read_full(fd, text, FILE_MAX, &len, path, error))
        return false;
    text[len] = '\0';
    *ret_text = g_steal_pointer(&text);
    *ret_len = len;
    return true;
}

static bool take_keys(const Section *section, const char *path, const char *name,
                      AwsProfile *profile, GError **error)
{
    if (!section->access_key && !section->secret_key)
        return true;
    if (!section->access_key || !section->secret_key) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: profile %s lacks %s", path, name,
                    section->access_key ? "aws_secret_access_key" : "aws_access_key_id");
        return false;
    }
    if (!profile->keys.access_key)
        aws_keys_set(&profile->keys, section->access_key, section->secret_key,
                     section->session_token, 0);
    return true;
}

static bool load_file(const char *path, bool must_exist, const char *name, bool prefixed,
                      AwsProfile *profile, bool *found, GError **error)
{
    g_autofree char *text = NULL;
    Section section = { 0 };
    size_t len = 0;
    bool ok;

    if (!read_text(path, must_exist, &text, &len, error))
        return false;
    if (!text)
        return true;
    ok = len < FILE_MAX && strlen(text) == len && parse(text, name, prefixed, &section);
    if (!ok)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s: not a file of [profiles] with \"name = value\" lines", path);
    ok = ok && take_keys(&section, path, name, profile, error);
    if (ok && section.region && !profile->region)
        profile->region = g_strdup(section.region);
    *found |= section.found;
    secret_wipe(text, FILE_MAX + 1);
    return ok;
}

/* ---- both ---- */

void aws_profile_clear(AwsProfile *profile)
{
    aws_keys_clear(&profile->keys);
    g_clear_pointer(&profile->region, g_free);
}

bool aws_profile_load(const char *credentials_file, const char *config_file, const char *name,
                      AwsProfile *ret_profile, GError **error)
{
    g_autofree char *home_credentials =
        g_build_filename(g_get_home_dir(), ".aws", "credentials", NULL);
    g_autofree char *home_config = g_build_filename(g_get_home_dir(), ".aws", "config", NULL);
    const char *credentials = credentials_file ? credentials_file : home_credentials;
    const char *config = config_file ? config_file : home_config;
    g_auto(AwsProfile) profile = { 0 };
    bool found = false;

    if (!name)
        name = "default";
    if (!load_file(credentials, credentials_file != NULL, name, false, &profile, &found, error) ||
        !load_file(config, config_file != NULL, name, true, &profile, &found, error))
        return false;
    if (!found) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "profile %s is neither in %s nor in %s",
                    name, credentials, config);
        return false;
    }
    *ret_profile = profile;
    profile = (AwsProfile){ 0 };
    return true;
}
