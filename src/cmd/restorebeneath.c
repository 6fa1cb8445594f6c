/* SPDX-License-Identifier: Apache-2.0 */
/* --beneath: targets that somebody else has named, who may write below some directories only. */
#include "base/error.h"
#include "base/fs.h"
#include "cmd/restore.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct RestoreBeneath {
    RestoreOptions *options;
    GArray *fds; /* the ways lead through them */
};

/* ---- down to a directory ---- */

/* Of path what follows root and a slash, or "" for root itself; NULL: it is not there. */
static const char *rest_of(const char *root, const char *path)
{
    size_t len = strlen(root);

    while (len > 1 && root[len - 1] == '/')
        len--;
    if (strncmp(path, root, len) != 0 || (len > 1 && path[len] && path[len] != '/'))
        return NULL;
    for (path += len; *path == '/'; path++)
        ;
    return path;
}

/* The deepest root leaves the least to go wrong. */
static const char *find_root(char *const *roots, const char *path, const char **ret_rest)
{
    const char *found = NULL;

    *ret_rest = NULL;
    for (; *roots; roots++) {
        const char *rest = rest_of(*roots, path);

        if (rest && (!*ret_rest || rest > *ret_rest)) {
            *ret_rest = rest;
            found = *roots;
        }
    }
    return found;
}

/* Each one that is missing is made; none may be a link. above: the mode of those on the way. */
static int open_each(int root, const char *rest, bool make, mode_t above, GError **error)
{
    g_auto(GStrv) names = g_strsplit(rest, "/", -1);
    int at = fcntl(root, F_DUPFD_CLOEXEC, 3);

    for (char **name = names; *name && at >= 0; name++) {
        fs_autoclose int parent = at;
        bool made;

        if (!**name) {
            parent = -1;
            continue;
        }
        made = make && mkdirat(parent, *name, 0700) == 0;
        if (make && !made && errno != EEXIST) {
            bs_error_errno(error, errno, "make %s", *name);
            return -1;
        }
        at = fs_open_beneath(parent, *name, O_RDONLY | O_DIRECTORY, 0, error);
        // whatever the umask of a daemon is
        if (made && at >= 0 && name[1])
            (void)fchmod(at, above);
    }
    return at;
}

/* *ret_way: to the directory, whatever happens to its name; NULL: a dry run, and there is none. */
static bool open_way(RestoreBeneath *beneath, const char *dir, char **ret_way, GError **error)
{
    const RestoreOptions *options = beneath->options;
    g_autoptr(GError) failure = NULL;
    const char *rest, *top = find_root(options->beneath, dir, &rest);
    fs_autoclose int root = -1;
    int fd;

    *ret_way = NULL;
    if (!top) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s is not below a directory of --beneath",
                    dir);
        return false;
    }
    root = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        bs_error_errno(error, errno, "open %s", top);
        return false;
    }
    // a server's user has to get through
    fd = open_each(root, rest, !options->dry_run, restore_is_recovery(options) ? 0755 : 0700,
                   &failure);
    if (fd >= 0) {
        g_array_append_val(beneath->fds, fd);
        *ret_way = g_strdup_printf("/proc/self/fd/%d", fd);
        return true;
    }
    // nothing is written to what is not there
    if (options->dry_run && g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_prefixed_error(error, g_steal_pointer(&failure), "%s: ", dir);
    return false;
}

static void keep_way(RestoreOptions *options, const char *shown, char *way, const char *way_to)
{
    options->shown = g_strdup(shown);
    options->way = way;
    options->way_to = g_strdup(way_to);
}

/* ---- the targets ---- */

static bool refuse_root(const RestoreOptions *options, const char *path, GError **error)
{
    const char *rest;

    if (!find_root(options->beneath, path, &rest) || *rest)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "%s: must be below a directory of --beneath, not "
                "that itself",
                path);
    return false;
}

static bool take_directory(RestoreBeneath *beneath, GError **error)
{
    RestoreOptions *options = beneath->options;
    g_autofree char *path = options->target;
    char *way = NULL;

    options->target = NULL;
    if (!refuse_root(options, path, error) || !open_way(beneath, path, &way, error))
        return false;
    options->target = g_strdup(way ? way : path);
    keep_way(options, path, way, path);
    return true;
}

/* What bears the name is looked at by the restore itself. */
static bool take_file(RestoreBeneath *beneath, GError **error)
{
    RestoreOptions *options = beneath->options;
    g_autofree char *to = options->to;
    const char *path = strchr(to, ':') + 1;
    g_autofree char *dir = g_path_get_dirname(path), *name = g_path_get_basename(path);
    char *way = NULL;

    options->to = NULL;
    if (!refuse_root(options, path, error) || !open_way(beneath, dir, &way, error))
        return false;
    options->to =
        way ? g_strdup_printf("%.*s%s/%s", (int)(path - to), to, way, name) : g_strdup(to);
    keep_way(options, path, way, dir);
    return true;
}

static bool take_tablespaces(RestoreBeneath *beneath, GError **error)
{
    RestoreOptions *options = beneath->options;
    g_autoptr(GStrvBuilder) via = g_strv_builder_new();

    for (char **word = options->tablespaces; word && *word; word++) {
        const char *new = strchr(*word, '=');
        g_autofree char *way = NULL;

        if (!new || strchr(new + 1, '=')) {
            g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                        "--tablespace-mapping %s: with --beneath it must hold one '='", *word);
            return false;
        }
        if (!refuse_root(options, new + 1, error) || !open_way(beneath, new + 1, &way, error))
            return false;
        g_strv_builder_add(via, way ? way : "");
    }
    options->via = g_strv_builder_end(via);
    return true;
}

static bool is_file(const RestoreOptions *options)
{
    return options->to && (g_str_has_prefix(options->to, RESTORE_VOLUME) ||
                           g_str_has_prefix(options->to, RESTORE_SQLITE));
}

bool restore_take_beneath(RestoreOptions *options, RestoreBeneath **ret_beneath, GError **error)
{
    g_autoptr(RestoreBeneath) beneath = NULL;

    *ret_beneath = NULL;
    if (!options->beneath)
        return true;
    beneath = g_new0(RestoreBeneath, 1);
    beneath->options = options;
    beneath->fds = g_array_new(FALSE, FALSE, sizeof(int));
    if (!options->target && !is_file(options)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--beneath: there is no directory and no file to restore to");
        return false;
    }
    if (!(options->target ? take_directory : take_file)(beneath, error) ||
        !take_tablespaces(beneath, error))
        return false;
    *ret_beneath = g_steal_pointer(&beneath);
    return true;
}

void restore_beneath_free(RestoreBeneath *beneath)
{
    if (!beneath)
        return;
    for (guint i = 0; i < beneath->fds->len; i++)
        (void)close(g_array_index(beneath->fds, int, i));
    g_array_unref(beneath->fds);
    g_clear_pointer(&beneath->options->shown, g_free);
    g_clear_pointer(&beneath->options->way, g_free);
    g_clear_pointer(&beneath->options->way_to, g_free);
    g_clear_pointer(&beneath->options->via, g_strfreev);
    g_free(beneath);
}

/* ---- names ---- */

char *restore_shown(const RestoreOptions *options, const char *path)
{
    g_autoptr(GString) text = g_string_new(path);

    if (options->way)
        g_string_replace(text, options->way, options->way_to, 0);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

void restore_name_error(const RestoreOptions *options, GError **error)
{
    char *text;

    if (!options->way || !error || !*error)
        return;
    text = restore_shown(options, (*error)->message);
    g_free((*error)->message);
    (*error)->message = text;
}
