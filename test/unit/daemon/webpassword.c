/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webpassword.h"

#include "base/error.h"
#include <string.h>

/* Made by Python: hashlib.scrypt(b"correct horse battery", salt=bytes(range(16)), n=2**10, r=8,
 * p=1, dklen=32), both in urlsafe base64. */
#define OF_PYTHON                                                                                  \
    "$scrypt$ln=10,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$hKGWL22WtdGfIbxEPAZ06BS2bWyYKuZIKvypfAlYOWk"

static void a_password_fits_its_hash_alone(void)
{
    g_autofree char *hash = NULL, *again = NULL;
    bool fits = false;

    g_assert_true(password_hash("correct horse battery", &hash, NULL));
    g_assert_true(password_hash("correct horse battery", &again, NULL));
    g_assert_true(g_str_has_prefix(hash, "$scrypt$ln=15,r=8,p=3$"));
    g_assert_cmpstr(hash, !=, again);
    g_assert_true(password_verify("correct horse battery", hash, &fits, NULL));
    g_assert_true(fits);
    g_assert_true(password_verify("correct horse batterz", hash, &fits, NULL));
    g_assert_false(fits);
    g_assert_true(password_verify("", hash, &fits, NULL));
    g_assert_false(fits);
    g_assert_true(password_verify("correct horse battery", NULL, &fits, NULL));
    g_assert_false(fits);
    g_assert_true(password_verify("correct horse battery", OF_PYTHON, &fits, NULL));
    g_assert_true(fits);
}

static void a_foreign_hash_is_refused(void)
{
    static const char *const hashes[] = {
        "",
        "plain",
        "$scrypt$ln=10,r=8,p=1$",
        "$scrypt$ln=10,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$AA",
        "$scrypt$ln=24,r=64,p=1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=99,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=10,r=0,p=1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(hashes); i++) {
        g_autoptr(GError) error = NULL;
        bool fits = true;

        g_assert_false(password_verify("correct horse battery", hashes[i], &fits, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

static void weak_passwords_are_refused(void)
{
    g_autofree char *long_one = g_strnfill(257, 'x');

    long_one[0] = 'y';
    g_assert_false(password_check("anna", "short", NULL));
    g_assert_false(password_check("anna", "", NULL));
    g_assert_false(password_check("anna", "aaaaaaaaaaaaaaaa", NULL));
    g_assert_false(password_check("Administrator", "administrator", NULL));
    g_assert_false(password_check("anna", long_one, NULL));
    g_assert_true(password_check("anna", "twelve bytes", NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/webpassword/a-password-fits-its-hash-alone",
                    a_password_fits_its_hash_alone);
    g_test_add_func("/daemon/webpassword/a-foreign-hash-is-refused", a_foreign_hash_is_refused);
    g_test_add_func("/daemon/webpassword/weak-passwords-are-refused", weak_passwords_are_refused);
    return g_test_run();
}
