/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenPGP (RFC 4880) for what lies outside the repository, by GnuPG through gpgme: streams, to keys
 * or with a passphrase, that any `gpg --decrypt` opens. Always AES-256 with an integrity check.
 *
 * GnuPG works in a directory of its own, 0700 and removed afterwards, and knows no keys but those
 * handed over; no agent of it stays behind. Nothing secret is in an argument or the environment.
 */
#pragma once
#include "base/cancel.h"
#include "base/secret.h"
#include "flow/outlet.h"

#define OPENPGP_KEYS_MAX       (4u * 1024 * 1024) /* bytes of a file with keys */
#define OPENPGP_PASSPHRASE_MAX 255u               /* what gpg-agent takes */

/* Who can open what is written: keys, or whoever knows the passphrase. All borrowed. */
typedef struct {
    GBytes *keys; /* public keys, in binary or armored; private ones are not needed; or NULL */
    /* Fingerprints (40 or 64 hexadecimal digits, blanks and "0x" allowed) of keys or their subkeys.
     * NULL: all that are in keys. Shorter key ids can be forged, and are refused. */
    char *const *recipients;
    const Secret *passphrase; /* of symmetric encryption, instead of keys; or NULL */
} OpenpgpTo;

/*
 * The outlet that encrypts. Before it returns, each recipient has been found and has a key that can
 * encrypt today: BS_ERROR_NOT_FOUND, or BS_ERROR_DENIED (revoked, expired, disabled, for signing
 * only), and next has got nothing. next is taken over, also on failure; a thread of ours writes to
 * it until finish or free. ret_fingerprints: whom it is encrypted to, empty with a passphrase; may
 * be NULL. BS_ERROR_USAGE: a passphrase that GnuPG could not take; BS_ERROR_CORRUPT: no keys in
 * there; BS_ERROR_UNSUPPORTED: there is no gpg, or for a passphrase no gpg-agent.
 */
Outlet *openpgp_encrypt_new(Outlet *next, const OpenpgpTo *to, char ***ret_fingerprints,
                            GError **error);

/* What opens it. All borrowed. */
typedef struct {
    GBytes *keys;             /* private keys, as `gpg --export-secret-keys` writes them; or NULL */
    const Secret *passphrase; /* of the message, or of the private key; or NULL */
} OpenpgpWith;

/*
 * Decrypts what is read from in, to its end, to out (which may be a pipe). name is for messages.
 * Only when it returns true what was written may be taken for anything; before that it may have
 * been made by anybody.
 *
 * BS_ERROR_PASSWORD: the passphrase is wrong or missing, or no private key fits; BS_ERROR_CORRUPT:
 * not OpenPGP, not encrypted, without integrity check, changed, or cut off, or no keys in keys;
 * BS_ERROR_UNSUPPORTED: there is no gpg, or no gpg-agent; BS_ERROR_CANCELLED; errors of in and out
 * as they are.
 */
bool openpgp_decrypt(int in, int out, const char *name, const OpenpgpWith *with,
                     const Cancel *cancel, GError **error);

/* Whether a file that begins with these bytes (64 are plenty) looks like an encrypted OpenPGP
 * message, in binary or armored. */
bool openpgp_looks_encrypted(const void *data, size_t len);
