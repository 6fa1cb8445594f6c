/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manual page backstay(1), printed from the command table in mdoc (mandoc's mdoc(7), "Language
 * overview"); the build writes it to a file, packages install that.
 */
#include "cmd/commands.h"
#include "cmd/help.h"
#include "cmd/roff.h"
#include <stdio.h>
#include <string.h>

#define MANUAL_DATE "November 21, 2026"

/* ---- from the table ---- */

static void print_option(const GOptionEntry *option)
{
    printf(".It ");
    if (option->short_name)
        printf("Fl %c , ", option->short_name);
    printf("Fl \\-%s", option->long_name);
    if (option->arg_description)
        printf(" Ar %s", option->arg_description);
    printf("\n");
    roff_sentence(option->description);
}

static void print_rows(const GOptionEntry *options)
{
    for (; options && options->long_name; options++)
        if (!(options->flags & G_OPTION_FLAG_HIDDEN))
            print_option(options);
}

static void print_command(const Command *command)
{
    printf(".Ss %s\n.Nm\n.Cm %s\n", command->name, command->name);
    if (command->options)
        printf(".Op Ar option ...\n");
    if (*command->operands)
        printf(".Ar %s\n", command->operands);
    printf(".Pp\n");
    roff_sentence(command->summary);
    if (command->description)
        roff_text(command->description);
    if (command->options) {
        printf(".Bl -tag -width Ds\n");
        print_rows(command->options);
        printf(".El\n");
    }
}

/* ---- the rest of the page ---- */

static const char head[] = ".Sh NAME\n"
                           ".Nm backstay\n"
                           ".Nd back up files and databases, restore them, and prove it\n"
                           ".Sh SYNOPSIS\n"
                           ".Nm\n"
                           ".Op Fl r Ar REPO\n"
                           ".Ar COMMAND\n"
                           ".Op Ar option ...\n"
                           ".Op Ar operand ...\n"
                           ".Nm\n"
                           ".Cm help\n"
                           ".Op Ar COMMAND\n";

static const char description[] =
    "backstay saves files and PostgreSQL databases as snapshots in a repository: deduplicated, "
    "compressed and encrypted. It brings them back, and compares what came back with what was "
    "saved. A backup you have never restored is not a backup.\n"
    "\n"
    "A repository is a directory, or a prefix in a bucket that speaks S3, in the restic repository "
    "format, version 2. restic itself lists, checks and restores what backstay wrote, and backstay "
    "what restic wrote. REPO is a path, s3:https://host/bucket/prefix, or a name of the "
    "configuration.\n"
    "\n"
    "A snapshot is one saved state of one source. It is named by its id, by the beginning of the "
    "id when that is unique, or by the word latest. SNAPSHOT:PATH names a directory or file in "
    "it.\n"
    "\n"
    "Results go to standard output; what is said on the way, and what went wrong, to standard "
    "error. A progress line is drawn only when standard error is a terminal.";

/* Tags and their explanations; a NULL tag ends a table. */
typedef struct {
    const char *tag, *text;
} Term;

/* Every name that is read, by us or by a library: test/system/environment.py compares. */
static const Term env_settings[] = {
    { "BACKSTAY_REPOSITORY", "The repository when no -r is given; also a name." },
    { "BACKSTAY_REPOSITORY_FILE", "File that holds its location." },
    { "BACKSTAY_PASSWORD_FILE", "File that holds the password." },
    { "BACKSTAY_PASSWORD_COMMAND", "Command that prints the password." },
    { "BACKSTAY_PASSWORD", "The password itself; a file is better." },
    { "BACKSTAY_KEY_FILE",
      "File that holds the master key, written by key export, instead of a password: opens without "
      "deriving a key. Nobody else may be able to read it." },
    { "BACKSTAY_NEW_PASSWORD_FILE , BACKSTAY_NEW_PASSWORD_COMMAND , BACKSTAY_NEW_PASSWORD",
      "The same for the password that key add, key passwd, user add and user password set." },
    { "BACKSTAY_FROM_REPOSITORY , BACKSTAY_FROM_REPOSITORY_FILE",
      "The other repository of copy and of init --copy-chunker-params." },
    { "BACKSTAY_FROM_PASSWORD_FILE , BACKSTAY_FROM_PASSWORD_COMMAND , BACKSTAY_FROM_PASSWORD",
      "Its password." },
    { "BACKSTAY_FROM_KEY_FILE", "Its master key, instead." },
    { "BACKSTAY_FROM_KEY_HINT", "Default of the option of the same name." },
    { "BACKSTAY_HOST", "Host name that backup saves, and that forget and others select." },
    { "BACKSTAY_KEY_HINT , BACKSTAY_COMPRESSION , BACKSTAY_PACK_SIZE , BACKSTAY_RETRY_LOCK",
      "Defaults of the options of the same name." },
    { "BACKSTAY_CACHE_DIR", "Directory of the caches." },
    { "BACKSTAY_CACHE_SIZE", "Bytes of each far repository kept in it." },
    { "BACKSTAY_STATE_DIR", "Directory of what backstay remembers of locks it has seen." },
    { "BACKSTAY_CACERT , BACKSTAY_TLS_CLIENT_CERT , BACKSTAY_LIMIT_UPLOAD , "
      "BACKSTAY_LIMIT_DOWNLOAD , BACKSTAY_RETRY_DEADLINE , BACKSTAY_STUCK_REQUEST_TIMEOUT",
      "Defaults of the options of the same name." },
    { "BACKSTAY_AWS_ASSUME_ROLE_ARN", "A role to assume with the keys of a bucket." },
    { "BACKSTAY_AWS_ASSUME_ROLE_SESSION_NAME , BACKSTAY_AWS_ASSUME_ROLE_EXTERNAL_ID , "
      "BACKSTAY_AWS_ASSUME_ROLE_POLICY , BACKSTAY_AWS_ASSUME_ROLE_REGION , "
      "BACKSTAY_AWS_ASSUME_ROLE_STS_ENDPOINT",
      "What is said when asking for it, and where." },
    { NULL, NULL },
};

static const Term env_keys[] = {
    { "BACKSTAY_S3_ACCESS_KEY , BACKSTAY_S3_SECRET_KEY , BACKSTAY_S3_SESSION_TOKEN", "Keys." },
    { "BACKUP_S3_ACCESS_KEY , BACKUP_S3_SECRET_KEY", "Keys, when those are not set." },
    { "AWS_ACCESS_KEY_ID , AWS_SECRET_ACCESS_KEY , AWS_SESSION_TOKEN",
      "Keys, when neither are set." },
    { "BACKSTAY_FROM_S3_ACCESS_KEY , BACKSTAY_FROM_S3_SECRET_KEY , "
      "BACKSTAY_FROM_S3_SESSION_TOKEN",
      "Keys of the other repository of copy and init; without them it has the same." },
    { "BACKSTAY_MIRROR_NAME_S3_ACCESS_KEY , BACKSTAY_MIRROR_NAME_S3_SECRET_KEY , "
      "BACKSTAY_MIRROR_NAME_S3_SESSION_TOKEN",
      "Keys of the mirror that is called name; without them it has the repository's." },
    { NULL, NULL },
};

static const Term env_buckets[] = {
    { "BACKSTAY_S3_PROFILE , AWS_PROFILE , BACKSTAY_FROM_S3_PROFILE , "
      "BACKSTAY_MIRROR_NAME_S3_PROFILE",
      "A profile of the files of Amazon's command line, when no keys are given." },
    { "AWS_SHARED_CREDENTIALS_FILE , AWS_CONFIG_FILE", "Where these files are." },
    { "AWS_WEB_IDENTITY_TOKEN_FILE , AWS_ROLE_ARN , AWS_ROLE_SESSION_NAME , AWS_ENDPOINT_URL_STS",
      "Keys in exchange for a token, and who gives them." },
    { "BACKSTAY_S3_REGION , AWS_REGION , AWS_DEFAULT_REGION , BACKSTAY_FROM_S3_REGION , "
      "BACKSTAY_MIRROR_NAME_S3_REGION",
      "Region of the bucket." },
    { "BACKSTAY_S3_ENDPOINT , BACKUP_S3_ENDPOINT , AWS_ENDPOINT_URL_S3 , AWS_ENDPOINT_URL , "
      "AWS_ENDPOINTS , BACKSTAY_FROM_S3_ENDPOINT , BACKSTAY_MIRROR_NAME_S3_ENDPOINT",
      "Endpoint for a repository that names only a bucket: s3:bucket/prefix." },
    { "BACKUP_S3_BUCKET", "With BACKUP_S3_ENDPOINT the repository when nothing else names one." },
    { "BACKSTAY_S3_BUCKET_LOOKUP , BACKSTAY_S3_STORAGE_CLASS , BACKSTAY_S3_CONNECTIONS , "
      "BACKSTAY_S3_ENCRYPTION , BACKSTAY_S3_ENCRYPTION_KEY , BACKSTAY_S3_OBJECT_LOCK , "
      "BACKSTAY_S3_OBJECT_LOCK_DAYS , BACKSTAY_S3_REQUESTS_PER_SECOND , "
      "BACKSTAY_S3_RETRY_DEADLINE",
      "Defaults of the options of a bucket: of -o s3.bucket-lookup and so on." },
    { "BACKSTAY_S3_LAYOUT , BACKSTAY_S3_LIST_OBJECTS_V1 , BACKSTAY_S3_UNSAFE_ANONYMOUS_AUTH , "
      "BACKSTAY_S3_ENABLE_RESTORE , BACKSTAY_S3_RETRIES",
      "Options that restic has and backstay has not: refused, unless they say what is done "
      "anyway." },
    { "AWS_CA_BUNDLE , SSL_CERT_FILE", "Defaults of --cacert, after BACKSTAY_CACERT." },
    { "HTTPS_PROXY , https_proxy , http_proxy , ALL_PROXY , all_proxy , NO_PROXY , no_proxy",
      "Proxies, as libcurl takes them." },
    { NULL, NULL },
};

static const Term env_postgres[] = {
    { "PGHOST , PGHOSTADDR , PGPORT , PGDATABASE , PGUSER , PGPASSWORD , PGPASSFILE , PGSERVICE , "
      "PGCONNECT_TIMEOUT",
      "As everywhere with PostgreSQL, and its other variables, too: for what the URL leaves open. "
      "The client programs never get a password in their arguments or their environment." },
    { "BACKSTAY_WAL_SPOOL", "Directory of the segments that wal get fetches ahead." },
    { "BACKSTAY_PG_BIN",
      "Directories to look for pg_dump and pg_restore in first, with colons between." },
    { "PATH", "Where they are looked for then." },
    { "BACKSTAY_WAL_SOCKET", "Default of wal --socket: where the WAL server is found." },
    { "BACKSTAY_WAL_SERVER", "Default of wal push --server: auto, require or never." },
    { NULL, NULL },
};

static const Term env_configuration[] = {
    { "BACKSTAY_CONFIG", "The configuration file, instead of those below FILES." },
    { "BACKSTAY_RUN_SOCKET", "The daemon has each run started by this socket of systemd "
                             "(backstay-run.socket), as a unit, instead of as its child." },
    { "ENABLE_BACKUPS", "true: without a file the configuration comes from the environment: one "
                        "repository, its sources, and one schedule." },
    { "BACKUP_SCHEDULE", "When: five fields, or hourly, daily, weekly, monthly (default: daily)." },
    { "BACKUP_ENCRYPTION_KEY",
      "Password of the repository: 32 bytes in base64. Also as BACKUP_ENCRYPTION_KEY_FILE." },
    { "BACKUP_ARCHIVES",
      "A directory or s3: location where latest.sql.gz and latest.rdb are written after each "
      "backup, encrypted (.gpg) with BACKUP_ENCRYPTION_KEY as the passphrase." },
    { "BACKSTAY_LISTEN", "server.listen: where the daemon answers by HTTP (default: nowhere)." },
    { "BACKSTAY_TLS_CERTIFICATE , BACKSTAY_TLS_KEY",
      "server.tls: files for HTTPS, which any address but those of this machine needs." },
    { "BACKSTAY_METRICS_PREFIX , BACKSTAY_METRICS_TEXTFILE",
      "server.metrics: what names of metrics begin with, and a file of them for node_exporter." },
    { "DATABASE_URL", "A PostgreSQL server or database to save. Without it PGHOST, PGHOSTADDR, "
                      "PGSERVICE or PGDATABASE name one." },
    { "REDIS_URL", "A Redis server to save." },
    { "REDISCLI_AUTH", "Its password when the URL has none, as redis-cli takes it." },
    { "CONFIGURATION_DIRECTORY , CREDENTIALS_DIRECTORY",
      "Where systemd says that backstay.yaml and the secrets named by cred:// are." },
    { NULL, NULL },
};

static const Term env_system[] = {
    { "TMPDIR",
      "Where restore --jobs keeps a dump for a while, and any restore one in directory format." },
    { "XDG_RUNTIME_DIR", "Where a password lies in a file while a client program runs, and the "
                         "socket of a user's WAL server." },
    { "RUNTIME_DIRECTORY", "Where wal serve makes its socket, when systemd started it." },
    { "STATE_DIRECTORY", "Where the daemon remembers its runs, when systemd started it." },
    { "NOTIFY_SOCKET , WATCHDOG_USEC , WATCHDOG_PID",
      "What systemd wants to hear of wal serve: that it is ready, and that it lives." },
    { "XDG_CACHE_HOME , XDG_CONFIG_HOME , XDG_STATE_HOME , HOME",
      "Where the directories below FILES are." },
    { "TZ", "Time zone of what is shown, and of the days that forget counts." },
    { NULL, NULL },
};

static const struct {
    const char *title, *text;
    const Term *terms;
} environment[] = {
    { "Repository and options",
      "Each of these may begin with RESTIC_ instead; the name that begins with BACKSTAY_ comes "
      "first.",
      env_settings },
    { "Keys of a bucket",
      "Each of these may be given as NAME_FILE or NAME_COMMAND instead. The first family that "
      "names a key or a profile gives all of them.",
      env_keys },
    { "Buckets", NULL, env_buckets },
    { "PostgreSQL", NULL, env_postgres },
    { "Configuration", NULL, env_configuration },
    { "System", NULL, env_system },
};

static const Term statuses[] = {
    { "0", "Everything asked for was done." },
    { "1", "It failed. Also wrong usage, and damage found by check." },
    { "3", "Done, but some items were left out; each is named." },
    { "10", "There is no repository." },
    { "11", "The repository is locked by somebody else, or another run of the schedule lives." },
    { "12", "No key opens with this password." },
    { "20", "The configuration is invalid; config check names every problem." },
    { "21",
      "The database server does not answer, or there is no WAL server where one is required." },
    { "22", "The database server refuses the login." },
    { "23", "The versions of server, client programs and dump do not fit." },
    { "24", "No space is left on the disk." },
    { "25", "The target of a restore holds data." },
    { "26", "WAL that is needed is not held, or a server has none of it any more." },
    { "27", "What was restored differs from what was saved, or a WAL file is of another cluster or "
            "differs from the one held under its name." },
    { "28", "Nothing was removed: it would have been the newest base backup of a cluster whose WAL "
            "is held." },
    { "30", "Done in the repository, but not in every mirror." },
    { "31", "Done, but what is under object lock could not be removed yet." },
    { "32", "The archive of WAL is further behind the server than --max-lag allows." },
    { "33", "A server lacks what pg setup looks for, or must be restarted." },
    { "75", "Only from run: a hook said to skip it." },
    { "126 , 143", "Only from wal get: it failed, it was stopped." },
    { "130", "Interrupted. What was stored up to then is found again by the next run." },
    { NULL, NULL },
};

static const Term files[] = {
    { "/etc/backstay/backstay.yaml , ~/.config/backstay/backstay.yaml",
      "The configuration ($XDG_CONFIG_HOME): repositories and sources by name, schedules. See "
      "backstay.yaml(5)." },
    { "/var/cache/backstay", "Copies of the index, for root. They may be removed at any time." },
    { "~/.cache/backstay", "The same for everybody else ($XDG_CACHE_HOME)." },
    { "/var/lib/backstay , ~/.local/state/backstay",
      "When a lock was first seen; it shows which locks are dead. Where mirrors lie "
      "($XDG_STATE_HOME)." },
    { "DIR/.backstay-unfinished",
      "Lies in the target of a restore until the restore is complete." },
    { NULL, NULL },
};

static const char examples[] =
    "Make a repository, and keep its password elsewhere, too:\n"
    ".Bd -literal -offset indent\n"
    "export BACKSTAY_REPOSITORY=/srv/backup\n"
    "export BACKSTAY_PASSWORD_FILE=/etc/backstay/password\n"
    "backstay init\n"
    ".Ed\n"
    ".Pp\n"
    "Save files, one database, and all databases of a server:\n"
    ".Bd -literal -offset indent\n"
    "backstay backup /etc /srv/uploads --exclude '*.tmp'\n"
    "backstay backup postgresql://backup@db1/shop\n"
    "backstay backup postgresql://backup@db1\n"
    ".Ed\n"
    ".Pp\n"
    "Bring back one directory, and one table into another database:\n"
    ".Bd -literal -offset indent\n"
    "backstay restore latest:/srv/uploads \\-\\-target /tmp/uploads\n"
    "backstay restore latest \\-\\-tag kind=postgres \\e\n"
    "    \\-\\-to postgresql://admin@db2/shop_test \\-\\-table public.orders\n"
    ".Ed\n"
    ".Pp\n"
    "Every night: save, thin out, and prove a seventh of the data:\n"
    ".Bd -literal -offset indent\n"
    "backstay backup /srv &&\n"
    "backstay forget \\-\\-keep-daily 7 \\-\\-keep-weekly 5 \\-\\-prune &&\n"
    "backstay check \\-\\-read-data-subset $(date +%u)/7\n"
    ".Ed\n";

static void print_terms(const Term *terms, const char *width, const char *macro)
{
    printf(".Bl -tag -width %s\n", width);
    for (; terms->tag; terms++) {
        printf(".It %s %s\n", macro, terms->tag);
        roff_paragraph(terms->text, strlen(terms->text));
    }
    printf(".El\n");
}

static void print_environment(void)
{
    printf(".Sh ENVIRONMENT\n");
    roff_text("A variable that is empty counts as not set. An option comes before its variable.");
    for (size_t i = 0; i < G_N_ELEMENTS(environment); i++) {
        printf(".Ss %s\n", environment[i].title);
        if (environment[i].text)
            roff_text(environment[i].text);
        print_terms(environment[i].terms, "Ds", "Ev");
    }
}

static void print_page(void)
{
    printf(".\\\" SPDX-License-Identifier: Apache-2.0\n"
           ".\\\" printed by `backstay manual` from the command table\n"
           ".Dd " MANUAL_DATE "\n.Dt BACKSTAY 1\n.Os Backstay " BS_VERSION "\n%s.Sh DESCRIPTION\n",
           head);
    roff_text(description);
    printf(".Sh COMMANDS\n");
    for (const Command *const *command = commands; *command; command++)
        if (!(*command)->hidden)
            print_command(*command);
    printf(".Sh GLOBAL OPTIONS\nThey may stand before or after the command.\n"
           ".Bl -tag -width Ds\n");
    print_rows(global_options);
    print_rows(gathered_options);
    print_rows(help_option);
    printf(".El\n");
    print_environment();
    printf(".Sh FILES\n");
    print_terms(files, "Ds", "Pa");
    printf(".Sh EXIT STATUS\n");
    print_terms(statuses, "1000", "");
    printf("A status not listed here means failure.\n.Sh EXAMPLES\n%s", examples);
    printf(
        ".Sh SEE ALSO\n.Xr pg_dump 1 ,\n.Xr pg_restore 1 ,\n.Xr restic 1 ,\n.Xr backstay.yaml 5\n");
}

static bool manual_run(const Context *context, void *request, char **operands, GError **error)
{
    (void)context;
    (void)request;
    if (!operands_between(operands, 0, 0, "", error))
        return false;
    print_page();
    return true;
}

const Command manual_command = {
    .name = "manual",
    .operands = "",
    .summary = "print the manual page as roff",
    .hidden = true,
    .run = manual_run,
};
