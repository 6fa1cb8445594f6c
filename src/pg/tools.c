/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/tools.h"
#include "base/child.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION_OUTPUT_MAX 4096

void pg_tool_free(PgTool *tool)
{
    if (!tool)
        return;
    g_free(tool->path);
    g_free(tool->version_text);
    g_free(tool);
}

int pg_major(int version)
{
    return version >= 100000 ? version / 10000 * 100 : version / 100;
}

char *pg_major_text(int version)
{
    if (version >= 100000)
        return g_strdup_printf("%d", version / 10000);
    return g_strdup_printf("%d.%d", version / 10000, version / 100 % 100);
}

/* PostgreSQL documentation, "PQserverVersion": two parts since 10, three parts before. */
int pg_version_parse(const char *text)
{
    long part[3] = { 0 };
    int n = 0;

    while (n < 3 && g_ascii_isdigit(*text)) {
        char *end;

        part[n++] = strtol(text, &end, 10);
        if (part[n - 1] > 99 && n < 3)
            return 0;
        text = *end == '.' ? end + 1 : end;
        if (end == text)
            break;
    }
    if (n == 0 || part[0] < 7)
        return 0;
    if (part[0] >= 10)
        return (int)(part[0] * 10000 + part[1]);
    return (int)(part[0] * 10000 + part[1] * 100 + MIN(part[2], 99));
}

/* "pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)" */
static bool read_version(PgTool *tool)
{
    const char *argv[] = { tool->path, "--version", NULL };
    g_autoptr(GBytes) output = NULL;
    g_autofree char *text = NULL;
    char *at;

    if (!child_output(argv, NULL, VERSION_OUTPUT_MAX, &output, NULL))
        return false;
    text = g_strndup(g_bytes_get_data(output, NULL), g_bytes_get_size(output));
    at = strstr(text, "(PostgreSQL) ");
    if (!at)
        return false;
    at += strlen("(PostgreSQL) ");
    tool->version = pg_version_parse(at);
    tool->version_text = g_strndup(at, strcspn(at, " \n"));
    return tool->version != 0;
}

/* Debian's /usr/bin/pg_dump is a script that picks a version by its own rules. */
static bool is_wrapper(const char *path)
{
    g_autofree char *real = realpath(path, NULL);

    return real && g_str_has_suffix(real, "/pg_wrapper");
}

static void add_candidate(GPtrArray *tools, const char *directory, const char *name)
{
    g_autoptr(PgTool) tool = g_new0(PgTool, 1);

    tool->path = g_build_filename(*directory ? directory : ".", name, NULL);
    if (access(tool->path, X_OK) == 0 && !is_wrapper(tool->path) && read_version(tool))
        g_ptr_array_add(tools, g_steal_pointer(&tool));
}

static void add_path(GPtrArray *tools, const char *path, const char *name)
{
    g_auto(GStrv) directories = g_strsplit(path ? path : "", ":", -1);

    for (char **directory = directories; *directory; directory++)
        if (path && **directory)
            add_candidate(tools, *directory, name);
}

static GPtrArray *list_candidates(const char *name)
{
    static const char packaged[] = "/usr/lib/postgresql";
    GPtrArray *tools = g_ptr_array_new_with_free_func((GDestroyNotify)pg_tool_free);
    g_autoptr(GDir) dir = g_dir_open(packaged, 0, NULL);
    const char *version;

    add_path(tools, g_getenv("BACKSTAY_PG_BIN"), name);
    while (dir && (version = g_dir_read_name(dir))) {
        g_autofree char *bin = g_build_filename(packaged, version, "bin", NULL);

        add_candidate(tools, bin, name);
    }
    add_path(tools, g_getenv("PATH"), name);
    return tools;
}

static void set_version_error(const GPtrArray *tools, const char *name, int min_version,
                              GError **error)
{
    g_autofree char *wanted = pg_major_text(min_version);
    g_autoptr(GString) found = g_string_new(NULL);

    for (guint i = 0; i < tools->len; i++) {
        const PgTool *tool = tools->pdata[i];

        g_string_append_printf(found, "%s%s (%s)", i ? ", " : "", tool->path, tool->version_text);
    }
    g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                "%s of PostgreSQL %s or later is needed, found %s; install postgresql-client-%s or "
                "set BACKSTAY_PG_BIN",
                name, wanted, found->len ? found->str : "none", wanted);
}

/* From 17 on the first statement is SET transaction_timeout = 0, of which no older server knows
 * (PostgreSQL 17 release notes; pg_dump: "loading into an older server may require manual
 * editing"). */
bool pg_tool_restores_to(int tool_version, int server_version)
{
    return pg_major(tool_version) < pg_major(170000) ||
           pg_major(server_version) >= pg_major(170000);
}

PgTool *pg_tool_find(const char *name, int min_version, GError **error)
{
    g_autoptr(GPtrArray) tools = list_candidates(name);
    PgTool *best = NULL;

    for (guint i = 0; i < tools->len; i++) {
        PgTool *tool = tools->pdata[i];

        if (pg_major(tool->version) < pg_major(min_version))
            continue;
        if (!best || pg_major(tool->version) < pg_major(best->version))
            best = tool;
    }
    if (!best) {
        set_version_error(tools, name, min_version, error);
        return NULL;
    }
    (void)g_ptr_array_set_free_func(tools, NULL);
    for (guint i = 0; i < tools->len; i++)
        if (tools->pdata[i] != best)
            pg_tool_free(tools->pdata[i]);
    return best;
}
