/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "flow/gpghome.h"
#include "flow/gpgloop.h"
#include "flow/openpgp.h"
#include <errno.h>
#include <string.h>

typedef struct {
    int in, out;
    const char *name;
    const Cancel *cancel;
    GError *failure; /* of reading or writing */
} Way;

static ssize_t take_sealed(void *handle, void *buf, size_t size)
{
    Way *way = handle;
    ssize_t n = cancel_read(way->cancel, way->in, buf, size, way->failure ? NULL : &way->failure);

    if (n < 0)
        errno = EIO;
    return n;
}

static ssize_t put_plain(void *handle, const void *buf, size_t len)
{
    Way *way = handle;
    ssize_t n = cancel_write(way->cancel, way->out, buf, len);

    if (n >= 0)
        return n;
    if (!way->failure && errno == ECANCELED)
        (void)cancel_check(way->cancel, &way->failure);
    else if (!way->failure)
        bs_error_errno(&way->failure, errno, "write what %s decrypts to", way->name);
    errno = EIO;
    return -1;
}

static gpgme_error_t decrypt(GpgHome *home, Way *way)
{
    static const struct gpgme_data_cbs in_cbs = { .read = take_sealed };
    static const struct gpgme_data_cbs out_cbs = { .write = put_plain };
    gpgme_data_t in = NULL, out = NULL;
    GpgLoop loop;
    gpgme_error_t why = gpgme_data_new_from_cbs(&in, (gpgme_data_cbs_t)&in_cbs, way);

    if (!why)
        why = gpgme_data_new_from_cbs(&out, (gpgme_data_cbs_t)&out_cbs, way);
    if (!why)
        why = gpgme_data_set_flag(in, "io-buffer-size", GPG_BUFFER);
    if (!why)
        why = gpgme_data_set_flag(out, "io-buffer-size", GPG_BUFFER);
    g_hash_table_remove_all(home->told);
    g_ptr_array_set_size(home->recipients, 0);
    if (!why) {
        gpg_loop_init(&loop, home->gpg);
        why = gpg_loop_run(&loop, gpgme_op_decrypt_start(home->gpg, in, out), way->cancel);
    }
    gpgme_data_release(in);
    gpgme_data_release(out);
    return why;
}

/* "the key 0123456789ABCDEF", or how many there are; of recipients that are hidden the ids are
 * zero. */
static char *whom(const GpgHome *home)
{
    g_autoptr(GString) ids = g_string_new(NULL);

    for (guint i = 0; i < home->recipients->len; i++) {
        const char *id = home->recipients->pdata[i];

        if (strspn(id, "0") < strlen(id))
            g_string_append_printf(ids, "%s%s", ids->len > 0 ? ", " : "", id);
    }
    if (ids->len == 0)
        return g_strdup("keys that it does not name");
    return g_strconcat(strchr(ids->str, ',') ? "the keys " : "the key ", ids->str, NULL);
}

static char *no_private_key(const GpgHome *home, bool keys)
{
    g_autofree char *recipients = whom(home);

    return g_strdup_printf(
        "it is encrypted to %s, and no private key fits%s; hand over the private "
        "key, as `gpg --export-secret-keys` writes it",
        recipients, keys && !home->private_keys ? ", for only public ones were handed over" : "");
}

/* NULL: that is not it. keys: some were handed over. */
static char *why_locked(const GpgHome *home, gpgme_error_t why, bool keys)
{
    if (home->asked && !home->passphrase)
        return g_strdup("it is encrypted with a passphrase, or the private key is; hand over the "
                        "passphrase");
    if (home->refused || gpg_home_told(home, "symkey_decrypt.maybe_error") ||
        gpgme_err_code(why) == GPG_ERR_BAD_PASSPHRASE)
        return g_strdup("the passphrase is wrong; hand over the one that the file, or the private "
                        "key, was encrypted with");
    if (gpgme_err_code(why) == GPG_ERR_NO_SECKEY)
        return no_private_key(home, keys);
    return NULL;
}

static const char *why_damaged(const GpgHome *home)
{
    if (home->unchecked)
        return "it is encrypted without integrity check, so anybody may have changed it";
    if (gpg_home_told(home, "BEGIN_DECRYPTION"))
        return "it was changed or cut off: its integrity check fails";
    return "this is no whole encrypted OpenPGP message";
}

/* Of the signs of success none is a proof by itself: a message that is not encrypted decrypts to
 * itself, one without integrity check to anything, and gpgme takes a killed gpg for one that is
 * done. */
static bool judge(const GpgHome *home, Way *way, gpgme_error_t why, bool keys, GError **error)
{
    g_autofree char *locked = why_locked(home, why, keys);

    if (way->failure)
        g_propagate_error(error, g_steal_pointer(&way->failure));
    else if (!why && gpg_home_told(home, "DECRYPTION_OKAY") && gpg_home_told(home, "GOODMDC") &&
             gpg_home_told(home, "END_DECRYPTION"))
        return true;
    else if (locked && !gpg_home_told(home, "BADMDC"))
        g_set_error(error, BS_ERROR, BS_ERROR_PASSWORD, "%s: %s", way->name, locked);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: %s", way->name, why_damaged(home));
    return false;
}

bool openpgp_decrypt(int in, int out, const char *name, const OpenpgpWith *with,
                     const Cancel *cancel, GError **error)
{
    g_auto(GpgHome) home = { 0 };
    Way way = { .in = in, .out = out, .name = name, .cancel = cancel };

    if (!gpg_home_open(&home, with->passphrase, true, error) ||
        (with->keys && !gpg_home_import(&home, with->keys, error)))
        return false;
    return judge(&home, &way, decrypt(&home, &way), with->keys != NULL, error);
}

/* Packets that begin one (RFC 4880, 4.2 and 4.3): a session key for a public key (1) or a
 * passphrase (3), or encrypted data at once (9, 18, 20). */
bool openpgp_looks_encrypted(const void *data, size_t len)
{
    static const char armor[] = "-----BEGIN PGP MESSAGE-----";
    const uint8_t *bytes = data;
    unsigned tag;

    if (len >= strlen(armor) && memcmp(data, armor, strlen(armor)) == 0)
        return true;
    if (len < 2 || !(bytes[0] & 0x80))
        return false;
    tag = bytes[0] & 0x40 ? bytes[0] & 0x3f : (bytes[0] >> 2) & 0x0f;
    return tag == 1 || tag == 3 || tag == 9 || tag == 18 || tag == 20;
}
