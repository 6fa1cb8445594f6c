/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/gpghome.h"

#include "base/child.h"
#include "base/error.h"
#include "base/fs.h"
#include "flow/dirremove.h"
#include "flow/gpgloop.h"
#include "flow/openpgp.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A socket's name has room for 107 bytes (unix(7)), and S.gpg-agent.browser is the longest here. */
#define DIR_MAX 80u

/*
 * GnuPG's own manual, gpg(1). Archives are compressed before they come here. Fixed counts spare
 * the agent measuring them; that of messages is the largest that can be written down (RFC
 * 4880, 3.7.1.3). Nothing is looked up anywhere, and no passphrase is kept for later.
 */
static const char gpg_conf[] = "cipher-algo AES256\n"
                               "digest-algo SHA512\n"
                               "s2k-cipher-algo AES256\n"
                               "s2k-digest-algo SHA512\n"
                               "s2k-mode 3\n"
                               "s2k-count 65011712\n"
                               "compress-algo none\n"
                               "no-symkey-cache\n"
                               "no-auto-key-retrieve\n"
                               "auto-key-locate clear\n"
                               "disable-dirmngr\n"
                               "trust-model always\n";
static const char agent_conf[] = "allow-loopback-pinentry\n"
                                 "disable-scdaemon\n"
                                 "no-allow-external-cache\n"
                                 "default-cache-ttl 0\n"
                                 "s2k-count 8388608\n";

void gpg_fail(GError **error, int code, const char *what, gpgme_error_t why)
{
    char text[256] = "";

    (void)gpgme_strerror_r(why, text, sizeof text); // cut short at worst
    g_set_error(error, BS_ERROR, code, "%s: %s", what, text);
}

/* ---- the directory ---- */

static char *make_dir(GError **error)
{
    const char *base = g_get_tmp_dir();
    g_autofree char *dir = NULL;

    if (strlen(base) > DIR_MAX - strlen("/bs-gpg-XXXXXX"))
        base = "/tmp";
    dir = g_build_filename(base, "bs-gpg-XXXXXX", NULL);
    if (mkdtemp(dir)) // 0700
        return g_steal_pointer(&dir);
    bs_error_errno(error, errno, "make a directory in %s", base);
    return NULL;
}

static bool write_conf(const char *dir, const char *name, const char *text, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    return fs_write_durable(path, text, strlen(text), 0600, FS_UNSYNCED, error);
}

/* It would end by itself when its socket is gone, but some time later. */
static void end_agent(const char *dir)
{
    g_autofree char *path = g_find_program_in_path("gpgconf");
    const char *argv[] = { path, "--homedir", dir, "--kill", "all", NULL };
    g_autoptr(GBytes) output = NULL;

    if (path)
        (void)child_output(argv, NULL, 4096, &output, NULL);
}

static void remove_dir(const char *dir)
{
    g_autofree char *parent = g_path_get_dirname(dir), *name = g_path_get_basename(dir);
    fs_autoclose int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        (void)remove_tree_at(fd, name, NULL); // the work is done; nobody else finds the way in
}

/* ---- gpgme ---- */

static void set_up(void)
{
    (void)gpgme_check_version(NULL); // what it is for is done by asking
}

/* Asked once for each thing to open; a second time means that the first answer was wrong. */
static gpgme_error_t give_passphrase(void *hook, G_GNUC_UNUSED const char *hint,
                                     G_GNUC_UNUSED const char *info, int was_bad, int fd)
{
    GpgHome *home = hook;

    home->asked = true;
    home->refused = home->refused || was_bad;
    if (was_bad || !home->passphrase)
        return gpgme_error(GPG_ERR_CANCELED);
    if (gpgme_io_writen(fd, secret_data(home->passphrase), secret_len(home->passphrase)) != 0 ||
        gpgme_io_writen(fd, "\n", 1) != 0)
        return gpgme_error_from_errno(errno);
    return 0;
}

/* The method of integrity check, the cipher, and newer ones the mode that checks by itself. */
static bool is_unchecked(const char *info)
{
    g_auto(GStrv) words = g_strsplit(info, " ", 3);

    return g_strcmp0(words[0], "0") == 0 &&
           (g_strv_length(words) < 3 || g_str_has_prefix(words[2], "0"));
}

static gpgme_error_t note_status(void *hook, const char *keyword, const char *args)
{
    GpgHome *home = hook;

    if (keyword)
        g_hash_table_add(home->told, g_strdup(keyword));
    if (keyword && args && strcmp(keyword, "ERROR") == 0) // where: one word
        g_hash_table_add(home->told, g_strndup(args, strcspn(args, " ")));
    if (keyword && args && strcmp(keyword, "ENC_TO") == 0) // key id, algorithm, length
        g_ptr_array_add(home->recipients, g_strndup(args, strcspn(args, " ")));
    if (keyword && args && strcmp(keyword, "DECRYPTION_INFO") == 0 && is_unchecked(args))
        home->unchecked = true;
    return 0;
}

/* gpg has a package of its own, and without its agent it fails with words that mean other things:
 * cancelled, no private key. */
static bool check_installed(bool secrets, GError **error)
{
    bool gpg = gpgme_engine_check_version(GPGME_PROTOCOL_OpenPGP) == 0;
    const char *agent = gpgme_get_dirinfo("agent-name");

    if (!gpg)
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "there is no GnuPG on this machine; install the package gnupg");
    else if (secrets && agent && access(agent, X_OK) < 0)
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "GnuPG is not whole: %s, which passphrases and private keys need, cannot be "
                    "run; install the package gpg-agent",
                    agent);
    else
        return true;
    return false;
}

static bool start(GpgHome *home, GError **error)
{
    gpgme_error_t why = gpgme_new(&home->gpg);

    if (!why)
        why = gpgme_set_protocol(home->gpg, GPGME_PROTOCOL_OpenPGP);
    if (!why)
        why = gpgme_ctx_set_engine_info(home->gpg, GPGME_PROTOCOL_OpenPGP, NULL, home->dir);
    if (!why)
        why = gpgme_set_pinentry_mode(home->gpg, GPGME_PINENTRY_MODE_LOOPBACK);
    if (!why)
        why = gpgme_set_ctx_flag(home->gpg, "full-status", "1");
    if (why) {
        gpg_fail(error, BS_ERROR_FAILED, "GnuPG", why);
        return false;
    }
    gpgme_set_passphrase_cb(home->gpg, give_passphrase, home);
    gpgme_set_status_cb(home->gpg, note_status, home);
    gpgme_set_offline(home->gpg, 1);
    return true;
}

/* What a line cannot carry to GnuPG. */
static bool check_passphrase(const Secret *passphrase, GError **error)
{
    const char *text = passphrase ? secret_data(passphrase) : "x";
    size_t len = passphrase ? secret_len(passphrase) : 1;

    if (len > 0 && len <= OPENPGP_PASSPHRASE_MAX && !memchr(text, '\n', len) &&
        !memchr(text, '\0', len))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "a passphrase for GnuPG is one line of 1 to %u bytes", OPENPGP_PASSPHRASE_MAX);
    return false;
}

bool gpg_home_open(GpgHome *home, const Secret *passphrase, bool secrets, GError **error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, set_up);
    *home = (GpgHome){ .passphrase = passphrase };
    if (!check_passphrase(passphrase, error) || !check_installed(secrets, error))
        return false;
    home->recipients = g_ptr_array_new_with_free_func(g_free);
    home->told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    home->dir = make_dir(error);
    return home->dir && write_conf(home->dir, "gpg.conf", gpg_conf, error) &&
           write_conf(home->dir, "gpg-agent.conf", agent_conf, error) && start(home, error);
}

bool gpg_home_import(GpgHome *home, GBytes *keys, GError **error)
{
    gpgme_data_t data = NULL;
    gsize len;
    const char *bytes = g_bytes_get_data(keys, &len);
    gpgme_error_t why = gpgme_data_new_from_mem(&data, bytes ? bytes : "", len, 0);
    gpgme_import_result_t result;
    GpgLoop loop;

    g_hash_table_remove_all(home->told);
    if (!why) {
        gpg_loop_init(&loop, home->gpg);
        why = gpg_loop_run(&loop, gpgme_op_import_start(home->gpg, data), NULL);
    }
    gpgme_data_release(data);
    result = why ? NULL : gpgme_op_import_result(home->gpg);
    home->private_keys = home->private_keys || (result && result->secret_read > 0);
    if (result && (result->imported > 0 || result->unchanged > 0 || result->secret_imported > 0))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "there is no OpenPGP key in the file with keys; `gpg --export` writes public ones, "
                "`gpg --export-secret-keys` private ones");
    return false;
}

bool gpg_home_told(const GpgHome *home, const char *keyword)
{
    return g_hash_table_contains(home->told, keyword);
}

void gpg_home_close(GpgHome *home)
{
    if (home->gpg)
        gpgme_release(home->gpg);
    if (home->dir) {
        end_agent(home->dir);
        remove_dir(home->dir);
    }
    g_clear_pointer(&home->recipients, g_ptr_array_unref);
    g_clear_pointer(&home->told, g_hash_table_destroy);
    g_free(home->dir);
    *home = (GpgHome){ 0 };
}
