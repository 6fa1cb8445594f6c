/* SPDX-License-Identifier: Apache-2.0 */
#include "op/k3ssteps.h"

#include "base/error.h"
#include "op/kindsnapshot.h"
#include "repo/walk.h"
#include "source/k3s.h"
#include <string.h>
#include <sys/stat.h>

#define STOP "systemctl stop k3s && k3s-killall.sh"

static const SourceKind k3s_kind = { "k3s", "a k3s server" };

typedef struct {
    const K3sRestored *restored;
    KindSnapshot from;
    const char *id;
    const char *home;      /* where the server was, and belongs */
    char *server, *config; /* where they were restored to; NULL: they were not */
    char *looked;          /* server, for a look at it */
    bool in_place;         /* server is home */
    bool has_config;       /* the snapshot */
    GStrvBuilder *steps;
} Steps;

static void add(Steps *steps, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void add(Steps *steps, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_strv_builder_add(steps->steps, text);
}

/* ---- what went where ---- */

static bool is_same(const char *a, const char *b)
{
    struct stat first, second;

    return strcmp(a, b) == 0 || (stat(a, &first) == 0 && stat(b, &second) == 0 &&
                                 first.st_dev == second.st_dev && first.st_ino == second.st_ino);
}

/* False: neither the whole server nor the configuration. */
static bool find_places(Steps *steps)
{
    const K3sRestored *restored = steps->restored;
    const char *folder = steps->from.folder;
    g_autofree char *path = g_canonicalize_filename(restored->path ? restored->path : "", "/");
    g_autofree char *name = g_canonicalize_filename(restored->name, NULL);
    bool all = strcmp(path, "/") == 0, top = all || strcmp(path, folder) == 0;
    const char *between = all ? folder + 1 : "";
    const char *rest = g_str_has_prefix(path, folder) ? path + strlen(folder) : "";

    if (top) {
        steps->server = g_build_filename(name, between, "server", NULL);
        steps->looked = g_build_filename(restored->target, between, "server", NULL);
        if (steps->has_config)
            steps->config = g_build_filename(name, between, "config", NULL);
    } else if (strcmp(rest, "/server") == 0) {
        steps->server = g_strdup(name);
        steps->looked = g_strdup(restored->target);
    } else if (strcmp(rest, "/config") == 0) {
        steps->config = g_strdup(name);
    }
    steps->in_place = steps->server && (strcmp(steps->server, steps->home) == 0 ||
                                        is_same(steps->looked, steps->home));
    return steps->server || steps->config;
}

/* What is no part of the snapshot, and lies beside its state.db all the same; "": nothing. */
static char *strangers(const Steps *steps)
{
    static const char *const names[] = { "state.db-wal", "state.db-shm", "etcd" };
    GString *found = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(steps->looked, "db", names[i], NULL);
        struct stat st;

        if (lstat(path, &st) == 0)
            g_string_append_printf(found, "%s%s/db/%s", found->len > 0 ? ", " : "", steps->server,
                                   names[i]);
    }
    return g_string_free(found, FALSE);
}

/* ---- the steps ---- */

static void stop_k3s(Steps *steps)
{
    if (!steps->in_place)
        add(steps, "stop k3s: " STOP);
    else if (!steps->restored->done)
        add(steps,
            "before the restore, stop k3s (" STOP ") and move %s away: k3s would write into what "
            "is restored, and what the snapshot does not have would stay",
            steps->home);
    else
        add(steps,
            "k3s must not have run while %s was restored: if it did, stop it (" STOP
            "), move the directory away and restore again",
            steps->home);
}

static void place_server(Steps *steps)
{
    g_autofree char *found = NULL, *from = NULL, *to = NULL;

    if (!steps->server) {
        add(steps,
            "the server itself is in the snapshot, too: backstay restore %s:%s/server "
            "--target %s",
            steps->id, steps->from.folder, steps->home);
        return;
    }
    from = g_shell_quote(steps->server);
    to = g_shell_quote(steps->home);
    found = strangers(steps);
    if (!steps->in_place)
        add(steps,
            "move the old %s away, and put the restored one there with owners and modes: "
            "cp -a %s %s",
            steps->home, from, to);
    add(steps, "%s/db/state.db, %s/token and %s/tls have to be there, all of this snapshot",
        steps->home, steps->home, steps->home);
    add(steps,
        "beside state.db nothing else may lie in %s/db: SQLite would apply an old state.db-wal or "
        "state.db-shm to it, and k3s would start from an old etcd instead; move them away%s%s",
        steps->home, *found ? ". There are now: " : "", found);
}

static void place_config(Steps *steps)
{
    if (!steps->has_config) {
        add(steps, "the server had nothing in " K3S_CONFIG ": nothing of another one may be there");
    } else if (!steps->config) {
        add(steps,
            "its configuration is in the snapshot, too: backstay restore %s:%s/config "
            "--target " K3S_CONFIG,
            steps->id, steps->from.folder);
    } else if (!is_same(steps->config, K3S_CONFIG)) {
        g_autofree char *from = g_build_filename(steps->config, ".", NULL);
        g_autofree char *quoted = g_shell_quote(from);

        add(steps,
            "put the configuration to its place with owners and modes: mkdir -p " K3S_CONFIG
            " && cp -a %s " K3S_CONFIG "/",
            quoted);
    }
}

static void start_k3s(Steps *steps)
{
    add(steps, "start k3s of the same minor version as it was: systemctl start k3s");
    add(steps, "look whether all is there: kubectl get nodes; kubectl get pods -A (if it does not "
               "start: journalctl -u k3s). After a change of the machine's name the old node goes "
               "by: kubectl delete node NAME");
    add(steps, "if the node is refused for its password, for /etc/rancher/node/password is of "
               "another installation: kubectl -n kube-system delete secret "
               "NAME.node-password.k3s");
}

/* ---- all of it ---- */

/* A server whose machine had no configuration directory left none in its snapshot. */
static bool find_config(Repo *repo, Steps *steps, GError **error)
{
    g_autoptr(Node) config = NULL;
    g_autoptr(GError) problem = NULL;
    Id ignored;

    steps->has_config = walk_find(repo, &steps->from.tree, "config", &config, &ignored, &problem);
    if (steps->has_config || g_error_matches(problem, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

static bool open_snapshot(Repo *repo, const Snapshot *snapshot, Steps *steps, GError **error)
{
    const json_t *source;

    if (!kind_snapshot_open(repo, snapshot, &k3s_kind, &steps->from, error) ||
        !find_config(repo, steps, error))
        return false;
    source = json_object_get(steps->from.manifest, "source");
    steps->home = json_string_value(json_object_get(source, "path"));
    if (!steps->home)
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "manifest.json does not say where the server was");
    return steps->home != NULL;
}

bool k3s_steps(Repo *repo, const Snapshot *snapshot, const K3sRestored *restored, char ***ret_steps,
               GError **error)
{
    g_autoptr(GStrvBuilder) list = g_strv_builder_new();
    IdText id = id_short(&snapshot->id);
    Steps steps = { .restored = restored, .id = id.text, .steps = list };
    bool ok;

    *ret_steps = NULL;
    if (!snapshot_has_tag(snapshot, "kind=k3s"))
        return true;
    ok = open_snapshot(repo, snapshot, &steps, error);
    if (ok && find_places(&steps)) {
        stop_k3s(&steps);
        place_server(&steps);
        place_config(&steps);
        start_k3s(&steps);
        *ret_steps = g_strv_builder_end(list);
    }
    kind_snapshot_done(&steps.from);
    g_free(steps.server);
    g_free(steps.config);
    g_free(steps.looked);
    return ok;
}
