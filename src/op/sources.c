/* SPDX-License-Identifier: Apache-2.0 */
#include "op/sources.h"

#include "base/error.h"
#include "base/fs.h"
#include "config/values.h"
#include "net/redisurl.h"
#include "op/patterns.h"
#include "pg/url.h"
#include "plan/amount.h"
#include "source/files.h"
#include "source/k3s.h"
#include "source/pgcluster.h"
#include "source/pgdir.h"
#include "source/postgres.h"
#include "source/redis.h"
#include "source/sqlite.h"
#include "source/volume.h"
#include <glob.h>
#include <string.h>
#include <unistd.h>

#define DUMP_JOBS_MAX 256
#define CLUSTER       "pgcluster:"
#define SQLITE        "sqlite:"
#define VOLUME        "volume:"
#define K3S           "k3s:"
#define LIST_FILE_MAX (256u * 1024 * 1024)

/* ---- lists of paths in files ---- */

static bool read_list(const char *path, GBytes **ret_bytes, GError **error)
{
    if (strcmp(path, "-") != 0)
        return fs_read_file(path, LIST_FILE_MAX, ret_bytes, error);
    return fs_read_file("/dev/stdin", LIST_FILE_MAX, ret_bytes, error);
}

static bool add_glob(const char *pattern, GPtrArray *paths, GError **error)
{
    glob_t found;
    int result = glob(pattern, GLOB_NOSORT, NULL, &found);

    if (result != 0 && result != GLOB_NOMATCH) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s: cannot be expanded", pattern);
        return false;
    }
    for (size_t i = 0; result == 0 && i < found.gl_pathc; i++)
        g_ptr_array_add(paths, g_strdup(found.gl_pathv[i]));
    if (result == GLOB_NOMATCH)
        g_ptr_array_add(paths, g_strdup(pattern)); // reported as missing by name later
    else
        globfree(&found);
    return true;
}

/* One a line; with patterns also comments, blank lines and globs, as restic's --files-from. */
static bool add_lines(const char *file, bool patterns, GPtrArray *paths, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!read_list(file, &bytes, error))
        return false;
    text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_strchomp(patterns ? g_strchug(*line) : *line);
        if (!**line || (patterns && **line == '#'))
            continue;
        if (!patterns)
            g_ptr_array_add(paths, g_strdup(*line));
        else if (!add_glob(*line, paths, error))
            return false;
    }
    return true;
}

/* Ended by NUL bytes: find -print0. */
static bool add_raw(const char *file, GPtrArray *paths, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    const char *data, *end;
    gsize len;

    if (!read_list(file, &bytes, error))
        return false;
    data = g_bytes_get_data(bytes, &len);
    end = data + len;
    if (len > 0 && end[-1] != '\0') {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--files-from-raw %s: the last name is not ended by a NUL byte", file);
        return false;
    }
    for (; data < end; data += strlen(data) + 1)
        if (*data)
            g_ptr_array_add(paths, g_strdup(data));
    return true;
}

static bool add_listed(const SourcesRequest *request, GPtrArray *paths, GError **error)
{
    for (char **file = request->files_from; file && *file; file++)
        if (!add_lines(*file, true, paths, error))
            return false;
    for (char **file = request->files_from_verbatim; file && *file; file++)
        if (!add_lines(*file, false, paths, error))
            return false;
    for (char **file = request->files_from_raw; file && *file; file++)
        if (!add_raw(*file, paths, error))
            return false;
    return true;
}

/* ---- excludes ---- */

static Source *files_source(GPtrArray *paths, const SourcesRequest *request, GError **error)
{
    FilesOptions options = {
        .exclude_caches = request->exclude_caches,
        .exclude_if_present = request->exclude_if_present,
        .one_file_system = request->one_file_system,
        .with_atime = request->with_atime,
    };
    Source *source = NULL;

    g_ptr_array_add(paths, NULL);
    if ((!request->exclude_larger_than ||
         size_parse(request->exclude_larger_than, &options.exclude_larger_than, error)) &&
        patterns_compile(request->exclude, request->exclude_file, false, &options.exclude, error) &&
        patterns_compile(request->iexclude, request->iexclude_file, true, &options.iexclude, error))
        source = files_source_new((const char *const *)paths->pdata, &options, error);
    if (!source) {
        pattern_list_free(options.exclude);
        pattern_list_free(options.iexclude);
    }
    return source;
}

/* ---- operands ---- */

static bool is_url(const char *operand)
{
    static const char *const schemes[] = { "postgresql://", "postgres://", "pgcluster:",
                                           "redis:",        "rediss:",     "unix://",
                                           "sqlite:",       "volume:",     "k3s:" };

    for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++)
        if (g_str_has_prefix(operand, schemes[i]))
            return true;
    return false;
}

static bool chooses_part(const SourcesRequest *request)
{
    return request->databases || request->exclude_databases || request->tables ||
           request->schemas || request->exclude_schema || request->exclude_table_data;
}

static bool is_directory(const char *text)
{
    return *text == '/' || strcmp(text, ".") == 0 || g_str_has_prefix(text, "./") ||
           g_str_has_prefix(text, "../");
}

static Source *directory_source(const char *directory, const SourcesRequest *request,
                                GError **error)
{
    PgDirOptions options = {
        .checkpoint = request->checkpoint,
        .no_page_checks = request->no_page_checks,
        .settled = PG_DIR_SETTLED,
    };
    int64_t settled_ms;

    if (request->settled) {
        if (!value_wait(request->settled, &settled_ms, error))
            return NULL;
        options.settled = MAX(settled_ms / 1000, PG_DIR_SETTLED_MIN);
    }
    if (request->max_rate) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--max-rate: for clusters over the network; " CLUSTER
                    "/directory is read from the disk");
        return NULL;
    }
    return pg_dir_source_new(directory, &options, error);
}

static Source *cluster_source(const char *url, const SourcesRequest *request, GError **error)
{
    PgClusterOptions cluster = {
        .checkpoint = request->checkpoint,
        .no_page_checks = request->no_page_checks,
    };

    if (chooses_part(request)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    CLUSTER "...: all of a server or nothing; --database, --exclude-database, "
                            "--table, --schema, --exclude-schema and --exclude-table-data are for "
                            "dumps");
        return NULL;
    }
    if (is_directory(url))
        return directory_source(url, request, error);
    if (!pg_url_is(url)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    CLUSTER "%s: write " CLUSTER "postgresql://user@host:port, or " CLUSTER
                            "/path/of/data_directory on the server's host",
                    url);
        return NULL;
    }
    if (request->max_rate) {
        uint64_t rate;

        if (!size_parse(request->max_rate, &rate, error))
            return NULL;
        cluster.max_rate_kb = MAX(rate / 1024, 1);
    }
    return pgcluster_source_new(url, NULL, &cluster, error);
}

static Source *redis_source(const char *url, const SourcesRequest *request, GError **error)
{
    if (chooses_part(request)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "a Redis server is backed up whole; --database, --exclude-database, --table, "
                    "--schema, --exclude-schema and --exclude-table-data are for PostgreSQL");
        return NULL;
    }
    return redis_source_new(url, NULL, error);
}

/* Each file of a pattern is a source of its own. */
static bool add_sqlite(const char *pattern, GPtrArray *sources, GError **error)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);

    if (!add_glob(g_str_has_prefix(pattern, "//") ? pattern + 2 : pattern, paths, error))
        return false;
    for (guint i = 0; i < paths->len; i++) {
        Source *source = sqlite_source_new(g_ptr_array_index(paths, i), error);

        if (!source)
            return false;
        g_ptr_array_add(sources, source);
    }
    return true;
}

static Source *volume_source(const char *path, const SourcesRequest *request, VolumeGroup *volumes,
                             GError **error)
{
    VolumeOptions options = { .way = VOLUME_AUTO };

    if (request->consistency && !volume_way_parse(request->consistency, &options.way, error))
        return NULL;
    if (request->freeze_limit &&
        !value_wait(request->freeze_limit, &options.freeze_limit_ms, error)) {
        g_prefix_error(error, "--freeze-limit %s: ", request->freeze_limit);
        return NULL;
    }
    return volume_source_new(g_str_has_prefix(path, "//") ? path + 1 : path, &options, volumes,
                             error);
}

/* Several jobs of pg_dump write several files. */
static bool dump_jobs(const SourcesRequest *request, bool is_dump, unsigned *ret_jobs,
                      GError **error)
{
    guint64 jobs = 1;

    if ((request->jobs || request->scratch) && !is_dump) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE,
                            "--jobs and --scratch are for dumps of PostgreSQL");
        return false;
    }
    if (request->jobs && !request->scratch) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE,
                            "--jobs needs --scratch DIR: a dump by several jobs lies in files "
                            "until it is saved");
        return false;
    }
    if (request->jobs &&
        !g_ascii_string_to_unsigned(request->jobs, 10, 1, DUMP_JOBS_MAX, &jobs, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--jobs %s: must be a number from 1 to %d",
                    request->jobs, DUMP_JOBS_MAX);
        return false;
    }
    *ret_jobs = (unsigned)jobs;
    return true;
}

static Source *url_source(const char *url, const SourcesRequest *request, VolumeGroup *volumes,
                          GError **error)
{
    PostgresOptions postgres = {
        .databases = request->databases,
        .exclude_databases = request->exclude_databases,
        .scratch = request->scratch,
        .schemas = request->schemas,
        .exclude_schemas = request->exclude_schema,
        .tables = request->tables,
        .exclude_table_data = request->exclude_table_data,
    };

    if (!dump_jobs(request, pg_url_is(url), &postgres.jobs, error))
        return NULL;
    if (pg_url_is(url))
        return postgres_source_new(url, NULL, &postgres, error);
    if (g_str_has_prefix(url, CLUSTER))
        return cluster_source(url + strlen(CLUSTER), request, error);
    if (redis_url_is(url))
        return redis_source(url, request, error);
    if (g_str_has_prefix(url, VOLUME))
        return volume_source(url + strlen(VOLUME), request, volumes, error);
    if (g_str_has_prefix(url, K3S))
        return k3s_source_new(url + strlen(K3S), error);
    g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "%.*s: this version has no such source",
                (int)strcspn(url, ":"), url);
    return NULL;
}

static bool add_stream(char *const *operands, const SourcesRequest *request, GPtrArray *sources,
                       GError **error)
{
    const char *name = request->stdin_filename ? request->stdin_filename : "stdin";
    Source *source;

    if (request->stdin_command ? !operands[0] : operands[0] != NULL) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    request->stdin_command ? "--stdin-from-command needs a command"
                                           : "--stdin takes no path");
        return false;
    }
    source = request->stdin_command ? command_source_new((const char *const *)operands, name, error)
                                    : stream_source_new(STDIN_FILENO, name, error);
    if (source)
        g_ptr_array_add(sources, source);
    return source != NULL;
}

bool sources_from_operands(char *const *operands, const SourcesRequest *request,
                           GPtrArray **ret_sources, GError **error)
{
    g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func((GDestroyNotify)source_free);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(VolumeGroup) volumes =
        request->volumes ? volume_group_ref(request->volumes) : volume_group_new();
    Source *files;

    if (request->stdin_content || request->stdin_command) {
        if (!add_stream(operands, request, sources, error))
            return false;
        *ret_sources = g_steal_pointer(&sources);
        return true;
    }
    for (; *operands; operands++) {
        Source *source = NULL;

        if (!is_url(*operands)) {
            g_ptr_array_add(paths, g_strdup(*operands));
            continue;
        }
        if (g_str_has_prefix(*operands, SQLITE)) {
            if (!add_sqlite(*operands + strlen(SQLITE), sources, error))
                return false;
            continue;
        }
        source = url_source(*operands, request, volumes, error);
        if (!source)
            return false;
        g_ptr_array_add(sources, source);
    }
    if (!add_listed(request, paths, error))
        return false;
    if (paths->len > 0) {
        files = files_source(paths, request, error);
        if (!files)
            return false;
        g_ptr_array_insert(sources, 0, files);
    }
    if (sources->len == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "nothing to back up; name a path or a URL such as postgresql://host/db");
        return false;
    }
    *ret_sources = g_steal_pointer(&sources);
    return true;
}
