/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/wal.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/walserve.h"
#include "config/configuration.h"
#include "op/runplace.h"
#include "op/walget.h"
#include "op/walpush.h"

#include <string.h>

#define CLUSTER "pgcluster:"

typedef struct {
    char *pgdata, *system_id;
    char *lag, **max_lag;
    gboolean read_data;
    char *spool, *prefetch;
    WalServerOptions server;
    WalReceiveOptions receive;
} WalOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(WalOptions, member))

static const GOptionEntry wal_options[] = {
    { "pgdata", 0, 0, ARG_TEXT, AT(pgdata),
      "data directory of the cluster (default: the one that PATH or DEST lies in, or this one)",
      "DIR" },
    { "system-id", 0, 0, ARG_TEXT, AT(system_id),
      "system identifier of the cluster, where there is no data directory", "ID" },
    { "prefetch", 0, 0, ARG_TEXT, AT(prefetch),
      "get: segments that are fetched ahead in the background (default 8, 0: none)", "N" },
    { "spool", 0, 0, ARG_TEXT, AT(spool),
      "get: where they lie until they are asked for (default: $BACKSTAY_WAL_SPOOL, or below the "
      "cache directory)",
      "DIR" },
    { "read-data", 0, 0, ARG_FLAG, AT(read_data), "check: open every file that is held", NULL },
    { "lag", 0, 0, ARG_TEXT, AT(lag),
      "check: compare what is held with where this server stands (postgresql://..., or @NAME: a "
      "cluster of the configuration's sources)",
      "URL" },
    { "max-lag", 0, 0, ARG_LIST, AT(max_lag),
      "check --lag: fail (32) when the archive is further behind, such as 16MiB or 60s", "LIMIT" },
    { "socket", 0, 0, ARG_TEXT, AT(server.socket),
      "push, serve: where the server is found (default: wal.sock in the user's or the system's "
      "runtime directory)",
      "FILE" },
    { "server", 0, 0, ARG_TEXT, AT(server.server),
      "push: hand the file to the server auto (when there is one), require, or never", "WHEN" },
    { "group", 0, 0, ARG_TEXT, AT(server.group),
      "serve: whose members may hand over files, besides its own user and root", "GROUP" },
    { "jobs", 0, 0, ARG_INT, AT(server.jobs), "serve: files at once, from 1 to 32 (default 8)",
      "N" },
    { "slot", 0, 0, ARG_TEXT, AT(receive.slot), "receive: the replication slot", "NAME" },
    { "partial-interval", 0, 0, ARG_TEXT, AT(receive.partial_interval),
      "receive: how often the unfinished segment is stored; 0: only at the end (default: 5s)",
      "DURATION" },
    { "recreate-slot", 0, 0, ARG_FLAG, AT(receive.recreate_slot),
      "receive: make a slot that has vanished again, and go on behind WAL that is lost", NULL },
    { "no-loop", 0, 0, ARG_FLAG, AT(receive.no_loop), "receive: end when the connection is lost",
      NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

/* ---- exit statuses ---- */

/* PostgreSQL documentation, "Continuous Archiving": above 125, or killed by a signal, means that
 * the command cannot run at all. */
#define PUSH_FAILED 1
#define STATUS_MAX  125
#define GET_ABSENT  1
#define GET_FAILED  126
#define GET_STOPPED 143 /* 128 + SIGTERM: the server that asked shuts down */

/* The archiver dies of a status above 125 instead of trying again. */
static int push_status(int status)
{
    return status > STATUS_MAX ? PUSH_FAILED : status;
}

/* Recovery takes every status up to 125 as the end of the WAL and starts the server there: only
 * what is proven may say so. */
static int get_status(const GError *error)
{
    if (g_error_matches(error, BS_ERROR, BS_ERROR_WAL_ABSENT))
        return GET_ABSENT;
    return g_error_matches(error, BS_ERROR, BS_ERROR_CANCELLED) ? GET_STOPPED : GET_FAILED;
}

static int wal_exit_status(char *const *argv, const GError *error, int status)
{
    while (*argv && strcmp(*argv, "wal") != 0)
        argv++;
    for (; *argv; argv++) {
        if (strcmp(*argv, "get") == 0)
            return get_status(error);
        if (strcmp(*argv, "push") == 0)
            return push_status(status);
    }
    return status;
}

/* ---- the words after `wal` ---- */

static WalClusterFrom cluster_from(const WalOptions *options, const char *path)
{
    return (WalClusterFrom){ options->pgdata, options->system_id, path };
}

static void tell_pushed(const WalPushed *pushed)
{
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, pushed->system_id);

    output_json(json_pack("{s:s, s:s, s:s, s:I, s:I, s:b}", "message_type", "wal_pushed",
                          "system_identifier", id, "name", pushed->name, "size",
                          (json_int_t)pushed->len, "data_added_packed", (json_int_t)pushed->stored,
                          "was_there", pushed->was_there));
}

/* Required mirrors get the file, too, before it counts; the others catch up later. */
static bool push_alone(const Context *context, const WalClusterFrom *from, WalPushed *ret_pushed,
                       GError **error)
{
    g_auto(OpenRepo) open = { 0 };

    return open_repo_using(context->settings, OPEN_UNLOCKED, MIRRORS_WRITE, true, context->cancel,
                           &open, error) &&
           op_wal_push(context->settings, &open, from, ret_pushed, error);
}

static bool wal_push(const Context *context, const WalOptions *options, char **operands,
                     GError **error)
{
    WalClusterFrom from = cluster_from(options, operands[1]);
    WalPushed pushed;
    bool done;

    if (!wal_hand_over(context, &options->server, &from, &done, &pushed, error) ||
        (!done && !push_alone(context, &from, &pushed, error)))
        return false;
    if (context->settings->json)
        tell_pushed(&pushed);
    return true;
}

static bool wal_get(const Context *context, const WalOptions *options, char **operands,
                    GError **error)
{
    WalClusterFrom from = cluster_from(options, operands[2]);
    const char *env = g_getenv("BACKSTAY_WAL_SPOOL");
    WalPrefetchOptions prefetch = { .spool = options->spool ? options->spool
                                             : env && *env  ? env
                                                            : NULL };
    guint64 segments = WAL_PREFETCH_DEFAULT;

    if (options->prefetch &&
        !g_ascii_string_to_unsigned(options->prefetch, 10, 0, WAL_PREFETCH_MAX, &segments, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--prefetch %s: must be a number from 0 to %d",
                    options->prefetch, WAL_PREFETCH_MAX);
        return false;
    }
    prefetch.segments = (unsigned)segments;
    return op_wal_get(context->settings, operands[1], &from, &prefetch, context->cancel, error);
}

static bool wal_list(const Context *context, const WalOptions *options, char **operands,
                     GError **error)
{
    g_auto(OpenRepo) open = { 0 };

    (void)options;
    (void)operands;
    return open_repo(context->settings, OPEN_UNLOCKED, true, context->cancel, &open, error) &&
           wal_list_run(context, &open, error);
}

/* The server of a source of the configuration, with its password. */
static bool named_server(const Settings *settings, const char *name, char ***ret_operands,
                         GError **error)
{
    g_autoptr(Configuration) configuration = NULL;
    const SourceConfig *source;

    if (!configuration_load(settings->config, &configuration, error))
        return false;
    source = configuration_source(configuration, name);
    if (source && source->url && g_str_has_prefix(source->url, CLUSTER "postgres"))
        return run_place_operands(source, ret_operands, error);
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "--lag @%s: the configuration has no source of that name whose url is "
                "pgcluster:postgresql://...",
                name);
    return false;
}

static bool wal_lag(const Context *context, const WalOptions *options, OpenRepo *open,
                    GError **error)
{
    char **operands = NULL;
    bool within;

    if (options->lag[0] != '@')
        return wal_lag_run(context, open, options->lag, options->max_lag, error);
    if (!named_server(context->settings, options->lag + 1, &operands, error))
        return false;
    within = wal_lag_run(context, open, operands[0] + strlen(CLUSTER), options->max_lag, error);
    run_place_wipe(operands);
    return within;
}

static bool wal_check(const Context *context, const WalOptions *options, char **operands,
                      GError **error)
{
    g_auto(OpenRepo) open = { 0 };

    (void)operands;
    if (options->max_lag && !options->lag) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--max-lag needs --lag URL");
        return false;
    }
    if (options->lag) // reads names only, which needs no lock
        return open_repo(context->settings, OPEN_UNLOCKED, true, context->cancel, &open, error) &&
               wal_lag(context, options, &open, error);
    return open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error) &&
           wal_check_run(context, &open, options->read_data, error);
}

static bool wal_serve(const Context *context, const WalOptions *options, char **operands,
                      GError **error)
{
    (void)operands;
    return wal_serve_run(context, &options->server, error);
}

static bool wal_receive(const Context *context, const WalOptions *options, char **operands,
                        GError **error)
{
    return wal_receive_run(context, &options->receive, options->system_id, operands[1], error);
}

static const struct {
    const char *name;
    guint n;              /* operands, itself included */
    const char *operands; /* what it needs */
    bool (*run)(const Context *context, const WalOptions *options, char **operands, GError **error);
} actions[] = {
    { "push", 2, "the path of the file (%p)", wal_push },
    { "get", 3, "the name of the file and where to put it (%f %p)", wal_get },
    { "serve", 1, "", wal_serve },
    { "receive", 2, "where the server is (postgresql://...)", wal_receive },
    { "list", 1, "", wal_list },
    { "check", 1, "", wal_check },
};

static bool wal_run(const Context *context, void *request, char **operands, GError **error)
{
    if (!operands[0])
        return operands_between(operands, 1, 0, "push, get, serve, receive, list or check", error);
    for (size_t i = 0; i < G_N_ELEMENTS(actions); i++)
        if (strcmp(operands[0], actions[i].name) == 0)
            return operands_between(operands, actions[i].n, actions[i].n, actions[i].operands,
                                    error) &&
                   actions[i].run(context, request, operands, error);
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "wal %s: must be push, get, serve, receive, list or check", operands[0]);
    return false;
}

const Command wal_command = {
    .name = "wal",
    .operands = "push PATH|get NAME DEST|serve|receive URL|list|check",
    .summary = "archive PostgreSQL's write-ahead log and bring it back",
    .description =
        "  push  archives one file. In postgresql.conf: archive_command = 'backstay wal push %p'\n"
        "  get   brings one back. For a recovery: restore_command = 'backstay wal get %f %p'\n"
        "  serve keeps the repository open and archives what push, or PostgreSQL's archive module, "
        "hands it: until a signal\n"
        "        stops it\n"
        "  receive takes it from the server as it is written, over the replication slot of --slot, "
        "until a signal: whole\n"
        "        segments, and parts of the unfinished one every few seconds\n"
        "  list  what is held of each cluster and timeline, and every gap\n"
        "  check whether each snapshot of a cluster has the WAL that it needs, proven and decoded, "
        "and whether any is\n"
        "        missing since the oldest: 26 when something is, 1 when something is damaged; with "
        "--lag instead how far\n"
        "        the archive is behind a server, and how long that one's disk lasts\n\n"
        "The repository comes from $BACKSTAY_REPOSITORY, the key best from $BACKSTAY_KEY_FILE (key "
        "export): a password\n"
        "takes a third of a second each time. Nothing is locked.\n\n"
        "push ends with 0 when the file is durable in the repository, or was there already with "
        "the same content. Every\n"
        "failure is a status from 1 to 125: PostgreSQL keeps the file and asks again. A file of "
        "this name with another\n"
        "content is never replaced (27). With a server (wal serve) it needs no key, and the server "
        "archives several at once.\n\n"
        "get ends with 0 when DEST is complete, with 1 when the repository is there and holds no "
        "such file, with 143 when\n"
        "it was stopped, and with 126 for everything else: PostgreSQL then stops the recovery "
        "instead of taking an\n"
        "outage for the end of the log. The segments that follow are fetched meanwhile by a "
        "process "
        "in the background,\n"
        "which ends when nothing was asked for in a minute (--prefetch, --spool). Of a segment "
        "that "
        "is not complete it\n"
        "gives what receive has of it.\n\n"
        "receive makes the slot when it never was there. When it has vanished since, or the server "
        "has removed WAL that\n"
        "is not held, it ends with 26 and names the gap; with 27 when the server's WAL is not what "
        "is held already.\n"
        "Lost connections are made again, and while the repository is away nothing is "
        "acknowledged.",
    .options = wal_options,
    .request_size = sizeof(WalOptions),
    .run = wal_run,
    .exit_status = wal_exit_status,
};
