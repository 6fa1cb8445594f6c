/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/passfile.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/secret.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct PgAccess {
    char *conninfo;
    GStrv environment;
    char *directory, *file; /* NULL: no password of ours */
};

/* One line that fits every host, database and user: the file serves this child alone. */
static bool write_password(int fd, const char *password, const char *path, GError **error)
{
    GString *line = g_string_sized_new(2 * strlen(password) + 16);
    bool ok;

    g_string_append(line, "*:*:*:*:");
    for (const char *c = password; *c; c++) {
        if (*c == ':' || *c == '\\')
            g_string_append_c(line, '\\');
        g_string_append_c(line, *c);
    }
    g_string_append_c(line, '\n');
    ok = fs_write_all(fd, line->str, line->len, path, error);
    secret_wipe(line->str, line->len);
    g_string_free(line, TRUE);
    return ok;
}

static bool make_passfile(PgAccess *access, const char *password, GError **error)
{
    const char *base = g_getenv("XDG_RUNTIME_DIR");
    fs_autoclose int fd = -1;

    if (strpbrk(password, "\r\n")) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "a password with a line break cannot be handed to PostgreSQL's programs");
        return false;
    }
    if (!base || faccessat(AT_FDCWD, base, W_OK | X_OK, AT_EACCESS) != 0)
        base = g_get_tmp_dir();
    access->directory = g_build_filename(base, "backstay-pg-XXXXXX", NULL);
    if (!g_mkdtemp_full(access->directory, 0700)) {
        bs_error_errno(error, errno, "make a directory for the password file in %s", base);
        g_clear_pointer(&access->directory, g_free);
        return false;
    }
    access->file = g_build_filename(access->directory, "pgpass", NULL);
    fd = open(access->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        bs_error_errno(error, errno, "create %s", access->file);
        return false;
    }
    return write_password(fd, password, access->file, error);
}

/* What PostgreSQL's programs have use for; all else, keys and passwords of ours among it, stays
 * here. */
static bool is_wanted(const char *variable)
{
    static const char *const prefixes[] = {
        "PG", "LC_", "KRB5", "XDG_", "SSL_", "OPENSSL_",
    };
    static const char *const names[] = {
        "PATH",     "HOME", "USER",   "LOGNAME",         "LANG",
        "LANGUAGE", "TZ",   "TMPDIR", "LD_LIBRARY_PATH", NULL,
    };
    g_autofree char *name = g_strndup(variable, strcspn(variable, "="));

    if (strcmp(name, "PGPASSWORD") == 0)
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++)
        if (g_str_has_prefix(name, prefixes[i]))
            return true;
    return g_strv_contains(names, name);
}

static GStrv child_environment(void)
{
    g_auto(GStrv) ours = g_get_environ();
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (char **variable = ours; *variable; variable++)
        if (is_wanted(*variable))
            g_strv_builder_add(builder, *variable);
    return g_strv_builder_end(builder);
}

PgAccess *pg_access_new(const PgUrl *url, GError **error)
{
    g_autoptr(PgAccess) access = g_new0(PgAccess, 1);
    const char *password = pg_url_password(url);

    if (!pg_url_conninfo(url, &access->conninfo, error))
        return NULL;
    access->environment = child_environment();
    if (password) {
        if (!make_passfile(access, password, error))
            return NULL;
        access->environment =
            g_environ_setenv(access->environment, "PGPASSFILE", access->file, TRUE);
    }
    return g_steal_pointer(&access);
}

void pg_access_free(PgAccess *access)
{
    if (!access)
        return;
    // nothing can be done about a file that does not go away
    if (access->file)
        (void)unlink(access->file);
    if (access->directory)
        (void)rmdir(access->directory);
    g_free(access->file);
    g_free(access->directory);
    g_free(access->conninfo);
    g_strfreev(access->environment);
    g_free(access);
}

const char *pg_access_conninfo(const PgAccess *access)
{
    return access->conninfo;
}

const char *const *pg_access_environ(const PgAccess *access)
{
    return (const char *const *)access->environment;
}
