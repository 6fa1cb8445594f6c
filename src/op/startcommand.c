/* SPDX-License-Identifier: Apache-2.0 */
#include "op/startcommand.h"

#include "op/recoverysettings.h"

#include <string.h>

static const char white[] = " \t\r";

/* What comes behind the name: '...', in which a quote is doubled or has a backslash, or a word. */
static char *value_of(const char *text)
{
    GString *value = g_string_new(NULL);
    const char *at = text + strspn(text, white);

    if (*at == '=')
        at += 1 + strspn(at + 1, white);
    if (*at != '\'') {
        g_string_append_len(value, at, (gssize)strcspn(at, " \t\r#"));
        return g_string_free(value, FALSE);
    }
    for (at++; *at; at++) {
        if (*at == '\'' && at[1] != '\'')
            break;
        if ((*at == '\'' || *at == '\\') && at[1])
            at++;
        g_string_append_c(value, *at);
    }
    return g_string_free(value, FALSE);
}

static bool is_name(const char *name, size_t len, const char *wanted)
{
    return len == strlen(wanted) && g_ascii_strncasecmp(name, wanted, len) == 0;
}

bool start_config_names_data(const char *text, size_t len, char **ret_directory)
{
    g_autofree char *copy = g_strndup(text ? text : "", len), *directory = NULL;
    g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);
    bool names = false;

    for (char **line = lines; *line; line++) {
        const char *name = *line + strspn(*line, white);
        size_t length = strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_");

        if (is_name(name, length, "data_directory")) {
            g_free(directory);
            directory = value_of(name + length); // the last one counts
            names = true;
        }
        names = names || is_name(name, length, "include") || is_name(name, length, "include_dir") ||
                is_name(name, length, "include_if_exists");
    }
    *ret_directory = g_steal_pointer(&directory);
    return names;
}

char *start_note(const char *pgdata, const char *named)
{
    if (strcmp(named, pgdata) == 0)
        return NULL;
    return g_strdup_printf("postgresql.conf says data_directory = '%s', and a server that is only "
                           "given %s would start with the data that lie there: the start command "
                           "overrides it; remove the line before anything else starts the server",
                           named, pgdata);
}

char *start_command(const char *pgdata, const char *config_file, bool name_data)
{
    g_autofree char *dir = recovery_shell_word(pgdata), *quoted = NULL;
    g_autofree char *config = config_file ? recovery_shell_word(config_file) : NULL;
    g_autoptr(GString) options = g_string_new(NULL);

    if (config)
        g_string_append_printf(options, "-c config_file=%s ", config);
    if (!config && !name_data)
        return g_strdup_printf("pg_ctl -D %s start", dir);
    g_string_append_printf(options, "-c data_directory=%s", dir);
    quoted = recovery_shell_word(options->str);
    return g_strdup_printf("pg_ctl -D %s -o %s start", dir, quoted);
}
