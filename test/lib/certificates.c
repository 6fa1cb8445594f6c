/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/certificates.h"

#include <glib.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define DAY (24 * 60 * 60L)

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    g_assert_nonnull(extension);
    g_assert_true(X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
}

static X509 *make(EVP_PKEY *key, const char *name, int days)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    long end = days * DAY;

    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), (long)g_random_int_range(1, G_MAXINT));
    X509_gmtime_adj(X509_getm_notBefore(certificate), MIN(end, 0) - DAY);
    X509_gmtime_adj(X509_getm_notAfter(certificate), end);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                               0);
    return certificate;
}

static char *write_pem(const char *dir, const char *name, X509 *certificate, EVP_PKEY *key)
{
    g_autofree char *file = g_strdup_printf("%s.pem", name);
    char *path = g_build_filename(dir, file, NULL);
    FILE *out = fopen(path, "w");

    g_assert_nonnull(out);
    g_assert_true(PEM_write_X509(out, certificate));
    g_assert_true(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL));
    g_assert_cmpint(fclose(out), ==, 0);
    return path;
}

static void read_pem(const char *path, X509 **ret_certificate, EVP_PKEY **ret_key)
{
    FILE *in = fopen(path, "r");

    g_assert_nonnull(in);
    *ret_certificate = PEM_read_X509(in, NULL, NULL, NULL);
    *ret_key = PEM_read_PrivateKey(in, NULL, NULL, NULL);
    g_assert_true(*ret_certificate && *ret_key);
    (void)fclose(in);
}

char *certificate_authority(const char *dir, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make(key, name, 10);
    char *path;

    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    g_assert_true(X509_sign(certificate, key, EVP_sha256()));
    path = write_pem(dir, name, certificate, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return path;
}

char *certificate_new(const char *dir, const char *name, const char *authority,
                      const char *subject_alt, int days)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make(key, name, days);
    EVP_PKEY *issuer_key = NULL;
    X509 *issuer = NULL;
    char *path;

    if (authority)
        read_pem(authority, &issuer, &issuer_key);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer ? issuer : certificate));
    add_extension(certificate, NID_subject_alt_name, subject_alt);
    g_assert_true(X509_sign(certificate, issuer ? issuer_key : key, EVP_sha256()));
    path = write_pem(dir, name, certificate, key);
    X509_free(certificate);
    X509_free(issuer);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
    return path;
}
