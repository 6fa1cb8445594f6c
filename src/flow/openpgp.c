/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/openpgp.h"

#include "base/error.h"
#include "flow/gpghome.h"
#include "flow/gpgloop.h"
#include "flow/handover.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>

#define ROOM (1024u * 1024) /* bytes that wait for GnuPG */

typedef struct {
    Outlet base;
    Outlet *next;
    GpgHome home;
    GPtrArray *keys; /* of gpgme_key_t, NULL-terminated; empty with a passphrase */
    Handover *plain;
    pthread_t thread;
    bool running;              /* the thread is not joined yet */
    GError *failure, *refusal; /* of all; of next: the thread's until it is joined */
} PgpOutlet;

/* ---- recipients ---- */

/* NULL: it is none. */
static char *fingerprint_of(const char *text)
{
    GString *hex = g_string_new(NULL);

    if (g_str_has_prefix(text, "0x"))
        text += 2;
    for (; *text; text++)
        if (g_ascii_isxdigit(*text))
            g_string_append_c(hex, g_ascii_toupper(*text));
        else if (*text != ' ')
            break;
    if (!*text && (hex->len == 40 || hex->len == 64))
        return g_string_free(hex, FALSE);
    g_string_free(hex, TRUE);
    return NULL;
}

static bool has_fingerprint(const struct _gpgme_key *key, const char *fingerprint)
{
    for (gpgme_subkey_t sub = key->subkeys; sub; sub = sub->next)
        if (sub->fpr && strcmp(sub->fpr, fingerprint) == 0)
            return true;
    return false;
}

static const char *why_not(bool revoked, bool expired, bool disabled, bool invalid)
{
    return revoked    ? "is revoked"
           : expired  ? "has expired"
           : disabled ? "is disabled"
           : invalid  ? "is invalid"
                      : NULL;
}

/* NULL: it can. */
static const char *why_cannot_encrypt(const struct _gpgme_key *key)
{
    const char *why = why_not(key->revoked, key->expired, key->disabled, key->invalid);
    const char *sub_why = NULL;

    for (gpgme_subkey_t sub = key->subkeys; sub && !why; sub = sub->next) {
        if (!sub->can_encrypt)
            continue;
        sub_why = why_not(sub->revoked, sub->expired, sub->disabled, sub->invalid);
        if (!sub_why)
            return NULL;
    }
    return why ? why : sub_why ? sub_why : "has no part that encrypts";
}

static bool check_usable(const struct _gpgme_key *key, GError **error)
{
    const char *why = why_cannot_encrypt(key);

    if (!why)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                "the key %s %s; nothing is encrypted to it, hand over one that can be used",
                key->fpr, why);
    return false;
}

static void unref_key(gpointer key)
{
    if (key)
        gpgme_key_unref(key);
}

static bool list_keys(GpgHome *home, GPtrArray **ret_keys, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(unref_key);
    gpgme_error_t why = gpgme_op_keylist_start(home->gpg, NULL, 0);
    gpgme_key_t key;

    while (!why && !(why = gpgme_op_keylist_next(home->gpg, &key)))
        g_ptr_array_add(keys, key);
    if (gpgme_err_code(why) != GPG_ERR_EOF) {
        gpg_fail(error, BS_ERROR_FAILED, "GnuPG lists its keys", why);
        return false;
    }
    *ret_keys = g_steal_pointer(&keys);
    return true;
}

static void fail_unknown(const GPtrArray *keys, const char *wanted, GError **error)
{
    g_autoptr(GString) there = g_string_new(NULL);

    for (guint i = 0; i < keys->len; i++)
        g_string_append_printf(there, "%s%s", i > 0 ? ", " : "",
                               ((const struct _gpgme_key *)keys->pdata[i])->fpr);
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                "%s: no such key in the file with keys; add it there (`gpg --export`), or choose "
                "one of those that it has: %s",
                wanted, there->str);
}

static gpgme_key_t find_key(const GPtrArray *keys, const char *wanted, GError **error)
{
    g_autofree char *fingerprint = fingerprint_of(wanted);

    for (guint i = 0; fingerprint && i < keys->len; i++)
        if (has_fingerprint(keys->pdata[i], fingerprint))
            return keys->pdata[i];
    if (fingerprint)
        fail_unknown(keys, wanted, error);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s: write the whole fingerprint, 40 hexadecimal digits, as `gpg "
                    "--list-keys` shows it",
                    wanted);
    return NULL;
}

static bool choose_keys(PgpOutlet *outlet, char *const *recipients, GError **error)
{
    g_autoptr(GPtrArray) known = NULL;

    if (!list_keys(&outlet->home, &known, error))
        return false;
    for (guint i = 0; !recipients && i < known->len; i++) {
        gpgme_key_ref(known->pdata[i]);
        g_ptr_array_add(outlet->keys, known->pdata[i]);
    }
    for (; recipients && *recipients; recipients++) {
        gpgme_key_t key = find_key(known, *recipients, error);

        if (!key)
            return false;
        gpgme_key_ref(key);
        g_ptr_array_add(outlet->keys, key);
    }
    for (guint i = 0; i < outlet->keys->len; i++)
        if (!check_usable(outlet->keys->pdata[i], error))
            return false;
    if (outlet->keys->len > 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "there is no key to encrypt to");
    return false;
}

static char **fingerprints(const GPtrArray *keys)
{
    g_autoptr(GStrvBuilder) all = g_strv_builder_new();

    for (guint i = 0; i < keys->len; i++) {
        const struct _gpgme_key *key = keys->pdata[i];

        if (key)
            g_strv_builder_add(all, key->fpr);
    }
    return g_strv_builder_end(all);
}

/* ---- the thread ---- */

static ssize_t take_plain(void *handle, void *buf, size_t size)
{
    const PgpOutlet *outlet = handle;
    size_t len;

    if (handover_read(outlet->plain, buf, size, &len))
        return (ssize_t)len;
    errno = ECANCELED;
    return -1;
}

static ssize_t put_sealed(void *handle, const void *buf, size_t len)
{
    PgpOutlet *outlet = handle;

    if (!outlet->refusal && outlet_write(outlet->next, buf, len, &outlet->refusal))
        return (ssize_t)len;
    errno = EIO;
    return -1;
}

static gpgme_error_t encrypt(PgpOutlet *outlet)
{
    static const struct gpgme_data_cbs in_cbs = { .read = take_plain };
    static const struct gpgme_data_cbs out_cbs = { .write = put_sealed };
    gpgme_key_t *keys = outlet->keys->len > 0 ? (gpgme_key_t *)outlet->keys->pdata : NULL;
    gpgme_data_t in = NULL, out = NULL;
    GpgLoop loop;
    gpgme_error_t why = gpgme_data_new_from_cbs(&in, (gpgme_data_cbs_t)&in_cbs, outlet);

    if (!why)
        why = gpgme_data_new_from_cbs(&out, (gpgme_data_cbs_t)&out_cbs, outlet);
    if (!why)
        why = gpgme_data_set_flag(in, "io-buffer-size", GPG_BUFFER);
    if (!why)
        why = gpgme_data_set_flag(out, "io-buffer-size", GPG_BUFFER);
    if (!why) {
        gpg_loop_init(&loop, outlet->home.gpg);
        why = gpgme_op_encrypt_start(outlet->home.gpg, keys, GPGME_ENCRYPT_NO_COMPRESS, in, out);
        why = gpg_loop_run(&loop, why, NULL);
    }
    gpgme_data_release(in);
    gpgme_data_release(out);
    return why;
}

static void *encrypt_main(void *user)
{
    PgpOutlet *outlet = user;
    gpgme_error_t why;

    g_hash_table_remove_all(outlet->home.told);
    why = encrypt(outlet);
    if (outlet->refusal)
        outlet->failure = g_error_copy(outlet->refusal);
    else if (why)
        gpg_fail(&outlet->failure, BS_ERROR_FAILED, "encrypting with GnuPG", why);
    else if (!gpg_home_told(&outlet->home, "END_ENCRYPTION"))
        // gpgme takes the end of a killed gpg for the end of its work
        g_set_error(&outlet->failure, BS_ERROR, BS_ERROR_FAILED,
                    "encrypting with GnuPG: it ended before the message did");
    handover_leave(outlet->plain);
    return NULL;
}

/* ---- the outlet ---- */

static void join(PgpOutlet *outlet)
{
    if (outlet->running)
        pthread_join(outlet->thread, NULL);
    outlet->running = false;
}

static bool take_failure(PgpOutlet *outlet, GError **error)
{
    join(outlet);
    if (outlet->failure)
        g_propagate_error(error, g_steal_pointer(&outlet->failure));
    else
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "encrypting with GnuPG: it ended before its input did");
    return false;
}

static bool pgp_write(Outlet *base, const void *data, size_t len, GError **error)
{
    PgpOutlet *outlet = (PgpOutlet *)base;

    return handover_write(outlet->plain, data, len) || take_failure(outlet, error);
}

static bool pgp_finish(Outlet *base, GError **error)
{
    PgpOutlet *outlet = (PgpOutlet *)base;

    handover_end(outlet->plain, true);
    join(outlet);
    if (outlet->failure)
        return take_failure(outlet, error);
    return outlet_finish(outlet->next, error);
}

static void pgp_free(Outlet *base)
{
    PgpOutlet *outlet = (PgpOutlet *)base;

    if (outlet->plain)
        handover_end(outlet->plain, false);
    join(outlet);
    g_ptr_array_unref(outlet->keys);
    gpg_home_close(&outlet->home);
    handover_free(outlet->plain);
    g_clear_error(&outlet->failure);
    g_clear_error(&outlet->refusal);
    outlet_free(outlet->next);
    g_free(outlet);
}

static const OutletOps pgp_ops = {
    .name = "openpgp",
    .write = pgp_write,
    .finish = pgp_finish,
    .free = pgp_free,
};

static bool prepare(PgpOutlet *outlet, const OpenpgpTo *to, GError **error)
{
    if (!to->keys == !to->passphrase) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "encrypt to keys, or with a passphrase, one of the two");
        return false;
    }
    return gpg_home_open(&outlet->home, to->passphrase, to->passphrase != NULL, error) &&
           (!to->keys || (gpg_home_import(&outlet->home, to->keys, error) &&
                          choose_keys(outlet, to->recipients, error)));
}

static bool start(PgpOutlet *outlet, GError **error)
{
    int failure = pthread_create(&outlet->thread, NULL, encrypt_main, outlet);

    if (failure != 0)
        bs_error_errno(error, failure, "pthread_create");
    outlet->running = failure == 0;
    return outlet->running;
}

Outlet *openpgp_encrypt_new(Outlet *next, const OpenpgpTo *to, char ***ret_fingerprints,
                            GError **error)
{
    PgpOutlet *outlet = g_new0(PgpOutlet, 1);
    g_auto(GStrv) whom = NULL;

    outlet->base.ops = &pgp_ops;
    outlet->next = next;
    outlet->keys = g_ptr_array_new_with_free_func(unref_key);
    outlet->plain = handover_new(ROOM);
    if (!prepare(outlet, to, error)) {
        pgp_free(&outlet->base);
        return NULL;
    }
    whom = fingerprints(outlet->keys);
    if (outlet->keys->len > 0)
        g_ptr_array_add(outlet->keys, NULL); // as gpgme wants it
    if (!start(outlet, error)) {
        pgp_free(&outlet->base);
        return NULL;
    }
    if (ret_fingerprints)
        *ret_fingerprints = g_steal_pointer(&whom);
    return &outlet->base;
}
