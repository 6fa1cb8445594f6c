/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/rundir.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "daemon/eventsfile.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define HISTORY_RUNS 10u

/* ---- what it is to do ---- */

static void add_history(json_t *history, const json_t *snapshot)
{
    const char *source = json_string_value(json_object_get(snapshot, "source"));
    json_t *bytes = json_object_get(snapshot, "bytes"), *list;

    if (!source || !json_is_integer(bytes))
        return;
    list = json_object_get(history, source);
    if (!list) {
        list = json_array();
        json_object_set_new(history, source, list);
    }
    json_array_append(list, bytes);
}

/* Newest first. */
static bool history_of(Catalog *catalog, const char *schedule, json_t **ret_history, GError **error)
{
    const RunQuery query = {
        .schedule = schedule, .kind = "backup", .states = 1u << RUN_SUCCEEDED, .limit = HISTORY_RUNS
    };
    g_autoptr(GArray) rows = NULL;
    json_t *history, *snapshot;
    size_t index;

    if (!catalog_runs(catalog, &query, &rows, error))
        return false;
    history = json_object();
    for (guint i = 0; i < rows->len; i++) {
        const RunRow *row = &g_array_index(rows, RunRow, i);

        json_array_foreach(json_object_get(row->detail, "snapshots"), index, snapshot)
            add_history(history, snapshot);
    }
    *ret_history = history;
    return true;
}

static bool refuse_name(const char *what, const char *name, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                "there is no %s \"%s\" in the configuration any more", what, name);
    return false;
}

/* What is copied into the repository with the run (op/installation.h). */
static json_t *installation_of(const Configuration *configuration, Catalog *catalog)
{
    g_autofree char *path =
        configuration->path ? g_canonicalize_filename(configuration->path, NULL) : NULL;

    return json_pack("{s:s?, s:s, s:s?}", "config", path, "catalogue", catalog_url(catalog),
                     "catalogue_password", configuration->server.catalogue_password);
}

bool run_spec(const Configuration *configuration, const Schedule *schedule, Catalog *catalog,
              const RunRow *row, json_t **ret_spec, GError **error)
{
    json_t *const all_sources = json_object_get(configuration->tree, "sources");
    json_t *repository =
        json_object_get(json_object_get(configuration->tree, "repositories"), schedule->repository);
    json_auto_t *sources = json_object();
    json_auto_t *history = NULL;

    if (!repository)
        return refuse_name("repository", schedule->repository, error);
    for (char **name = schedule->sources; *name; name++) {
        if (!json_object_get(all_sources, *name))
            return refuse_name("source", *name, error);
        json_object_set(sources, *name, json_object_get(all_sources, *name));
    }
    if (!history_of(catalog, schedule->id, &history, error))
        return false;
    *ret_spec =
        json_pack("{s:s, s:s, s:s, s:s, s:O, s:O, s:O, s:O, s:o}", "run", row->id, "kind",
                  row->kind, "schedule_id", schedule->id, "trigger", run_trigger_name(row->trigger),
                  "schedule", schedule->definition, "sources", sources, "repository", repository,
                  "history", history, "installation", installation_of(configuration, catalog));
    return true;
}

/* ---- the directory ---- */

static char *in(const char *dir, const char *name)
{
    return g_build_filename(dir, name, NULL);
}

bool run_dir_make(const char *dir, const json_t *spec, GError **error)
{
    g_autofree char *path = in(dir, "spec.json");
    g_autofree char *parent = g_path_get_dirname(dir);
    char *text = json_dumps(spec, JSON_INDENT(2));
    bool ok = fs_make_dirs(dir, 0700, error) && fs_sync_dir(parent, error) &&
              fs_write_durable(path, text, strlen(text), 0600, FS_REPLACE, error);

    free(text);
    return ok;
}

bool run_dir_has_spec(const char *dir)
{
    g_autofree char *path = in(dir, "spec.json");

    return g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

int run_dir_output(const char *dir, GError **error)
{
    g_autofree char *path = in(dir, "output");
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        bs_error_errno(error, errno, "open %s", path);
    return fd;
}

char *run_dir_last_line(const char *dir)
{
    g_autofree char *path = in(dir, "output");
    fs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char text[2048];
    struct stat st;
    size_t len;
    const char *line;

    if (fd < 0 || fstat(fd, &st) != 0 ||
        !fs_pread_full(fd, text, sizeof text - 1,
                       (uint64_t)MAX(0, st.st_size - (off_t)sizeof text + 1), &len, path, NULL))
        return NULL;
    while (len > 0 && g_ascii_isspace(text[len - 1]))
        len--;
    text[len] = '\0';
    line = strrchr(text, '\n');
    return len ? g_utf8_make_valid(line ? line + 1 : text, -1) : NULL;
}

bool run_dir_reset(const char *dir, unsigned attempt, GError **error)
{
    g_autofree char *events = in(dir, EVENTS_NAME);
    g_autofree char *kept = g_strdup_printf("%s.%u", events, attempt);

    if (rename(events, kept) == 0 || errno == ENOENT)
        return fs_sync_dir(dir, error);
    bs_error_errno(error, errno, "rename %s", events);
    return false;
}

/* ---- those of old runs ---- */

bool run_dir_remove(const char *dir)
{
    g_autoptr(GDir) open = g_dir_open(dir, 0, NULL);
    const char *name;

    while (open && (name = g_dir_read_name(open))) {
        g_autofree char *file = in(dir, name);

        (void)unlink(file); // rmdir(2) tells
    }
    return rmdir(dir) == 0;
}

static gint newest_first(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)b, *(char *const *)a);
}

void run_dirs_clean(const Places *places, GHashTable *keep, int64_t now_ms)
{
    g_autoptr(GDir) dir = g_dir_open(places->runs, 0, NULL);
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        if (run_id_is_valid(name))
            g_ptr_array_add(ids, g_strdup(name));
    g_ptr_array_sort(ids, newest_first); // ids begin with their time
    for (guint i = 0; i < ids->len; i++) {
        const char *id = g_ptr_array_index(ids, i);
        g_autofree char *path = places_run(places, id);

        if (g_hash_table_contains(keep, id) ||
            (i < RUN_DIRS_KEPT && now_ms - run_id_time(id) < RUN_DIRS_KEPT_MS))
            continue;
        if (!run_dir_remove(path))
            log_warn("the directory of an old run cannot be removed", "path", path, "error",
                     g_strerror(errno), NULL);
    }
}
