/* SPDX-License-Identifier: Apache-2.0 */
/* Against the gpg of the system, with keys made here. */
#include "flow/openpgp.h"
#include "base/error.h"
#include "base/fs.h"
#include "lib/shell.h"
#include "lib/tempdir.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define LEN (3u * 1024 * 1024 + 5)

static char *world; /* keys, messages; GNUPGHOME of the tests is below it, and TMPDIR of ours */
static char **environment;

static char *sh(const char *format, ...) G_GNUC_PRINTF(1, 2);
static char *sh(const char *format, ...)
{
    g_autofree char *command = NULL, *whole = NULL;
    va_list args;

    va_start(args, format);
    command = g_strdup_vprintf(format, args);
    va_end(args);
    whole = g_strconcat("set -e; ", command, NULL);
    return shell_text(shell_run(g_strdupv(environment), whole));
}

static GBytes *file(const char *name)
{
    g_autofree char *path = g_build_filename(world, name, NULL);
    char *text;
    gsize len;

    g_assert_true(g_file_get_contents(path, &text, &len, NULL));
    return g_bytes_new_take(text, len);
}

static Secret *secret(const char *text)
{
    return text ? secret_new(text, strlen(text)) : NULL;
}

/* Fingerprint of the key of this name. */
static char *fingerprint(const char *name)
{
    return sh("gpg --with-colons --list-keys =%s | awk -F: '$1 == \"fpr\" && !n++ {print $10}'",
              name);
}

static void write_base64(const char *name, const char *text)
{
    gsize len;
    g_autofree guchar *bytes = g_base64_decode(text, &len);

    tempdir_write(world, name, bytes, len);
}

/* A file of LEN bytes that do not compress, the same in each run: what gpg makes of a file that is
 * not encrypted depends on its first bytes. */
static void write_noise(const char *name, const uint8_t *begin, size_t begin_len)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    g_autofree uint8_t *bytes = g_malloc(LEN);

    for (size_t i = 0; i < LEN; i++)
        bytes[i] = i < begin_len ? begin[i] : (uint8_t)g_rand_int(rand);
    tempdir_write(world, name, bytes, LEN);
}

static void make_world(void)
{
    g_autofree char *tmp = g_build_filename(world, "tmp", NULL);
    g_autofree char *home = g_build_filename(world, "gnupg", NULL);
    g_autofree char *nothing = NULL;
    // RFC 4880, 4.2.2.3 and 5.13: tag 18, four bytes of length, version 1
    static const uint8_t sealed_packet[] = { 0xd2, 0xff, 0x00, 0x2f, 0xff, 0xff, 0x01 };

    G_STATIC_ASSERT(LEN - 6 == 0x2fffff);
    g_assert_cmpint(mkdir(tmp, 0700), ==, 0);
    g_assert_cmpint(mkdir(home, 0700), ==, 0);
    tempdir_write(home, "gpg-agent.conf", "s2k-count 65536\n", 16); // or the agent measures one
    g_setenv("TMPDIR", tmp, TRUE);                                  // before anybody asks for it
    environment = g_environ_setenv(g_get_environ(), "GNUPGHOME", home, TRUE);
    environment = g_environ_setenv(environment, "W", world, TRUE);
    write_noise("plain", (const uint8_t[]){ 0 }, 1);
    write_noise("begins-as-one", sealed_packet, sizeof sealed_packet);
    nothing = sh(
        "cd $W; exec 2>log; make() { gpg --batch --pinentry-mode loopback --passphrase \"$2\" "
        "--quick-generate-key $1 "
        "future-default default \"$3\"; }\n"
        "make one '' never; make two 'of the key' never; make gone '' never\n"
        "gpg --batch --passphrase '' --quick-generate-key signer ed25519 sign never\n"
        "fpr=$(gpg --with-colons --list-keys =gone | awk -F: '$1 == \"fpr\" && !n++ {print $10}')\n"
        "sed 's/^:---/---/' gnupg/openpgp-revocs.d/$fpr.rev | gpg --import\n"
        "gpg --batch --faked-system-time 20200101T000000 --passphrase '' --quick-generate-key old "
        "future-default default 2d\n"
        "for k in old one two gone signer; do gpg --export =$k >$k.pub; done\n"
        "cat one.pub two.pub >both.pub; cat one.pub gone.pub >some.pub\n"
        "gpg --batch --export-secret-keys =one >one.sec\n"
        "gpg --batch --pinentry-mode loopback --passphrase 'of the key' --armor "
        "--export-secret-keys =two >two.sec");
}

/* ---- encrypting ---- */

static bool encrypt(const char *keys, char *const *recipients, const char *passphrase,
                    const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(world, name, NULL);
    fs_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    g_autoptr(GBytes) key_bytes = keys ? file(keys) : NULL;
    g_autoptr(GBytes) plain = file("plain");
    g_autoptr(Secret) phrase = secret(passphrase);
    OpenpgpTo to = { key_bytes, recipients, phrase };
    g_autoptr(Outlet) outlet = openpgp_encrypt_new(outlet_fd_new(fd, name, NULL), &to, NULL, error);

    return outlet &&
           outlet_write(outlet, g_bytes_get_data(plain, NULL), g_bytes_get_size(plain), error) &&
           outlet_finish(outlet, error);
}

static void encrypt_well(const char *keys, char *const *recipients, const char *passphrase,
                         const char *name)
{
    g_autoptr(GError) error = NULL;

    encrypt(keys, recipients, passphrase, name, &error);
    g_assert_no_error(error);
}

static uint64_t size_of(const char *name)
{
    g_autoptr(GBytes) bytes = file(name);

    return g_bytes_get_size(bytes);
}

static void gpg_opens_what_is_encrypted_to_keys(void)
{
    g_autofree char *done = NULL;

    encrypt_well("both.pub", NULL, NULL, "to-both");
    // each by itself, in a home that knows nothing of the other
    done = sh("cd $W; for k in one two; do mkdir -m 0700 h-$k; cp gnupg/gpg-agent.conf h-$k; "
              "export GNUPGHOME=$W/h-$k; gpg "
              "--batch --quiet --import $k.sec\n"
              "gpg --batch --quiet --pinentry-mode loopback --passphrase 'of the key' --decrypt "
              "to-both 2>>log | cmp - plain\n"
              "gpgconf --kill all; done");
}

static void recipients_are_chosen_by_fingerprint(void)
{
    g_autofree char *one = fingerprint("one"), *two = fingerprint("two"), *packets = NULL;
    g_autofree char *spaced = g_strdup_printf("0x%.4s %.4s %s", two, two + 4, two + 8);
    char *only_two[] = { spaced, NULL };
    static const struct {
        const char *recipient;
        int code;
    } wrong[] = {
        { "0123456789abcdef0123456789abcdef01234567", BS_ERROR_NOT_FOUND },
        { "89abcdef01234567", BS_ERROR_USAGE }, // a key id can be forged
        { "two", BS_ERROR_USAGE },
    };

    encrypt_well("both.pub", only_two, NULL, "to-two");
    packets =
        sh("cd $W; { gpg --list-packets to-two 2>&1 || true; } | grep -c 'pubkey enc packet'");
    g_assert_cmpstr(packets, ==, "1");
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        char *recipients[] = { one, (char *)wrong[i].recipient, NULL };
        g_autoptr(GError) error = NULL;

        g_assert_false(encrypt("both.pub", recipients, NULL, "refused", &error));
        g_assert_error(error, BS_ERROR, wrong[i].code);
        g_assert_cmpuint(size_of("refused"), ==, 0);
    }
}

static void keys_that_cannot_be_used_are_refused_before_anything_is_written(void)
{
    static const struct {
        const char *keys, *says;
    } cases[] = {
        { "gone.pub", "is revoked" },
        { "some.pub", "is revoked" }, // one of two is enough
        { "old.pub", "has expired" },
        { "signer.pub", "has no part that encrypts" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].keys);
        g_assert_false(encrypt(cases[i].keys, NULL, NULL, "refused", &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
        g_assert_nonnull(strstr(error->message, cases[i].says));
        g_assert_cmpuint(size_of("refused"), ==, 0);
    }
}

static void what_is_no_key_is_refused(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(encrypt("plain", NULL, NULL, "refused", &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_cmpuint(size_of("refused"), ==, 0);
}

static void gpg_opens_what_is_encrypted_with_a_passphrase(void)
{
    g_autofree char *done = NULL, *packets = NULL;

    encrypt_well(NULL, NULL, "p\xc3\xa4ss phrase", "symmetric");
    done = sh(
        "cd $W; gpg --batch --quiet --pinentry-mode loopback --passphrase $'p\\xc3\\xa4ss phrase' "
        "--decrypt symmetric 2>>log | cmp - plain");
    packets = sh("cd $W; gpg --batch --pinentry-mode loopback --passphrase $'p\\xc3\\xa4ss phrase' "
                 "--list-packets symmetric "
                 "2>>log | grep -E -o 'cipher 9|mdc_method: 2|s2k 3, hash 10' | sort");
    g_assert_cmpstr(packets, ==, "cipher 9\nmdc_method: 2\ns2k 3, hash 10");
}

static void passphrases_that_gpg_cannot_take_are_refused(void)
{
    g_autofree char *too_long = g_strnfill(256, 'x');
    const char *cases[] = { "", "two\nlines", too_long };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(encrypt(NULL, NULL, cases[i], "refused", &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_cmpuint(size_of("refused"), ==, 0);
    }
}

static void a_way_that_is_full_is_told(void)
{
    g_autoptr(Secret) phrase = secret("x");
    OpenpgpTo to = { .passphrase = phrase };
    fs_autoclose int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    g_autoptr(GError) error = NULL;
    g_autoptr(Outlet) outlet =
        openpgp_encrypt_new(outlet_fd_new(fd, "full", NULL), &to, NULL, &error);
    g_autoptr(GBytes) plain = file("plain");

    g_assert_no_error(error);
    g_assert_false(outlet_write(outlet, g_bytes_get_data(plain, NULL), LEN, &error) &&
                   outlet_finish(outlet, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NO_SPACE);
}

/* Processes of this test whose arguments name one of our directories. An agent that was told to end
 * does so a moment later. */
static char *ours_running(void)
{
    return sh("ours=$W/tmp/bs-gp[g]-; for i in {1..300}; do "
              "pgrep -f \"$ours\" >/dev/null || break; sleep 0.1; done; "
              "pgrep -a -f \"$ours\" || true");
}

/* gpgme would take its end for the end of the work. */
static void a_killed_gpg_is_a_failure(void)
{
    g_autoptr(Secret) phrase = secret("x");
    OpenpgpTo to = { .passphrase = phrase };
    g_autoptr(GError) error = NULL;
    g_autoptr(Outlet) outlet = NULL;
    g_autoptr(GBytes) plain = file("plain");
    g_autofree char *path = g_build_filename(world, "killed", NULL), *done = NULL;
    fs_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    outlet = openpgp_encrypt_new(outlet_fd_new(fd, "killed", NULL), &to, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(outlet_write(outlet, g_bytes_get_data(plain, NULL), LEN, &error));
    done = sh("for i in {1..600}; do [ -s $W/killed ] && break; sleep 0.1; done\n"
              "pkill -KILL -f \"^[^ ]*gpg .*$W/tmp/bs-gp[g]-.*--symmetric\"");
    g_assert_false(outlet_finish(outlet, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
}

static void what_is_given_up_ends_quietly(void)
{
    g_autoptr(Secret) phrase = secret("x");
    OpenpgpTo to = { .passphrase = phrase };
    g_autofree char *path = g_build_filename(world, "left", NULL);
    fs_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    g_autoptr(Outlet) outlet =
        openpgp_encrypt_new(outlet_fd_new(fd, "left", NULL), &to, NULL, NULL);

    g_assert_true(outlet_write(outlet, "some", 4, NULL));
}

/* ---- decrypting ---- */

static bool decrypt(const char *name, const char *keys, const char *passphrase, GError **error)
{
    g_autofree char *path = g_build_filename(world, name, NULL);
    g_autofree char *out_path = g_build_filename(world, "opened", NULL);
    fs_autoclose int in = open(path, O_RDONLY | O_CLOEXEC);
    fs_autoclose int out = open(out_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    g_autoptr(GBytes) key_bytes = keys ? file(keys) : NULL;
    g_autoptr(Secret) phrase = secret(passphrase);
    OpenpgpWith with = { key_bytes, phrase };

    g_assert_cmpint(in, >=, 0);
    return openpgp_decrypt(in, out, name, &with, NULL, error);
}

static void what_gpg_encrypts_is_opened(void)
{
    static const struct {
        const char *label, *command, *keys, *passphrase;
    } cases[] = {
        { "to a key", "--trust-model always -r =one --encrypt", "one.sec", NULL },
        { "to a key with a passphrase", "--trust-model always -r =two --encrypt", "two.sec",
          "of the key" },
        { "armored and compressed", "--trust-model always -r =one --armor -z 6 --encrypt",
          "one.sec", NULL },
        { "with a passphrase", "--pinentry-mode loopback --passphrase sesame --symmetric", NULL,
          "sesame" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *made = NULL, *same = NULL;

        g_test_message("%s", cases[i].label);
        made = sh("cd $W; gpg --batch --quiet %s <plain >message 2>>log", cases[i].command);
        decrypt("message", cases[i].keys, cases[i].passphrase, &error);
        g_assert_no_error(error);
        same = sh("cmp $W/plain $W/opened");
    }
}

static void what_cannot_be_opened_says_why(void)
{
    static const struct {
        const char *label, *name, *keys, *passphrase;
        int code;
        const char *says;
    } cases[] = {
        { "wrong passphrase", "by-hand", NULL, "wrong", BS_ERROR_PASSWORD, "is wrong; hand" },
        // one of 65,536 gives the two bytes twice that tell a right one (RFC 4880, 5.13)
        { "one that looks right", "by-hand", NULL, "wrong 239087", BS_ERROR_CORRUPT,
          "check fails" },
        { "no passphrase", "symmetric", NULL, NULL, BS_ERROR_PASSWORD, "hand over the passphrase" },
        { "no key", "to-both", NULL, NULL, BS_ERROR_PASSWORD, "no private key fits; hand over" },
        { "a public key", "to-two", "two.pub", NULL, BS_ERROR_PASSWORD, "only public ones" },
        { "no key at all", "to-two", "plain", NULL, BS_ERROR_CORRUPT, "--export-secret-keys" },
        { "another key", "to-two", "one.sec", NULL, BS_ERROR_PASSWORD, "no private key fits" },
        { "wrong passphrase of the key", "to-two", "two.sec", "wrong", BS_ERROR_PASSWORD,
          "is wrong" },
        { "no passphrase of the key", "to-two", "two.sec", NULL, BS_ERROR_PASSWORD,
          "hand over the passphrase" },
        { "no OpenPGP", "plain", NULL, "x", BS_ERROR_CORRUPT, "no whole encrypted" },
        { "begins as one", "begins-as-one", NULL, "x", BS_ERROR_CORRUPT, "check fails" },
        { "nothing", "empty", NULL, "x", BS_ERROR_CORRUPT, "no whole encrypted" },
        { "not encrypted", "stored", NULL, "x", BS_ERROR_CORRUPT, "no whole encrypted" },
        { "signed only", "signed", NULL, "x", BS_ERROR_CORRUPT, "no whole encrypted" },
    };
    // "attack at dawn" with "sesame"
    static const char by_hand[] = "ww0ECQMIAQIDBAUGBwgA0j8BzPwD0XziI7mj3aMBDSvWxncfymXW09Y6XkLssfJ9"
                                  "C16Rx8tWd+evIn7tQInrtOOv3xFSrsk3AZ5hOiTU4nk=";
    g_autofree char *made = sh("cd $W; : >empty; gpg --batch --quiet --store <plain >stored; gpg "
                               "--batch --quiet -u one --sign <plain >signed");
    g_autofree char *opened = NULL;

    write_base64("by-hand", by_hand);
    opened = sh("gpg --batch --quiet --pinentry-mode loopback --passphrase sesame -d $W/by-hand "
                "2>>$W/log");
    g_assert_cmpstr(opened, ==, "attack at dawn");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        g_assert_false(decrypt(cases[i].name, cases[i].keys, cases[i].passphrase, &error));
        g_test_message("%s", error->message);
        g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_nonnull(strstr(error->message, cases[i].says));
    }
}

static void whose_key_is_missing_is_told(void)
{
    g_autofree char *id = sh("gpg --with-colons --list-keys =two | "
                             "awk -F: '$1 == \"sub\" && !n++ {print $5}'");
    g_autofree char *hidden = sh("cd $W; gpg --batch --quiet --trust-model always -R =two "
                                 "--encrypt <plain >to-hidden");
    g_autofree char *want = g_strdup_printf("to the key %s, and no private key fits", id);
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(strlen(id), ==, 16);
    g_assert_false(decrypt("to-two", "one.sec", NULL, &error));
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, want));
    g_clear_error(&error);
    g_assert_false(decrypt("to-hidden", "one.sec", NULL, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_PASSWORD);
    g_assert_nonnull(strstr(error->message, "keys that it does not name"));
}

/* Archives outlive the keys that they were encrypted to. */
static void a_key_that_expired_since_opens(void)
{
    g_autofree char *made = sh("cd $W; gpg --batch --export-secret-keys =old >old.sec; gpg --batch "
                               "--quiet --faked-system-time 20200101T010000 --trust-model always "
                               "-r =old --encrypt <plain >to-old 2>>log");
    g_autoptr(GError) error = NULL;
    g_autofree char *same = NULL;

    decrypt("to-old", "old.sec", NULL, &error);
    g_assert_no_error(error);
    same = sh("cmp $W/plain $W/opened");
}

static void damaged(const char *label, const GByteArray *bytes)
{
    static const char phrase[] = "p\xc3\xa4ss phrase";
    g_autoptr(GError) error = NULL;

    g_test_message("%s", label);
    tempdir_write(world, "damaged", bytes->data, bytes->len);
    g_assert_false(decrypt("damaged", NULL, phrase, &error));
    g_test_message("%s", error->message);
    // a session key that is damaged looks like a wrong passphrase
    if (!g_error_matches(error, BS_ERROR, BS_ERROR_PASSWORD))
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
}

static void what_was_changed_or_cut_off_is_refused(void)
{
    static const unsigned from_end[] = { 1, 21, 22, 23, 4096, LEN / 2, LEN - 10000 };
    static const unsigned flips[] = { 40, 1000, LEN / 2, LEN + 10 };
    g_autoptr(GBytes) message = file("symmetric");
    gsize len = g_bytes_get_size(message);

    for (size_t i = 0; i < G_N_ELEMENTS(from_end) + 1; i++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        gsize keep = i < G_N_ELEMENTS(from_end) ? len - from_end[i] : 12;
        g_autofree char *label = g_strdup_printf("cut to %zu of %zu", keep, len);

        g_byte_array_append(bytes, g_bytes_get_data(message, NULL), (guint)keep);
        damaged(label, bytes);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(flips); i++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_autofree char *label = g_strdup_printf("byte %u", flips[i]);

        g_byte_array_append(bytes, g_bytes_get_data(message, NULL), (guint)len);
        bytes->data[flips[i]] ^= 1;
        damaged(label, bytes);
    }
}

static void another_message_behind_it_is_refused(void)
{
    g_autofree char *joined = sh("cat $W/symmetric $W/stored >$W/joined");
    g_autoptr(GError) error = NULL;

    g_assert_false(decrypt("joined", NULL, "p\xc3\xa4ss phrase", &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
}

/* Made by hand: GnuPG no longer writes such. `gpg --ignore-mdc-error -d` opens it with "sesame". */
static void a_message_without_integrity_check_is_refused(void)
{
    static const char message[] =
        "wwQECQAIySkYh6p8qO4nGSWKlBda6BsLD11ud0dt67/sOHRh1rO8zawD4GDaB14dnQ==";
    g_autoptr(GError) error = NULL;
    g_autofree char *opened = NULL;

    write_base64("no-mdc", message);
    opened = sh("gpg --batch --quiet --ignore-mdc-error --pinentry-mode loopback --passphrase "
                "sesame -d $W/no-mdc 2>>$W/log");
    g_assert_cmpstr(opened, ==, "attack at dawn");
    g_assert_false(decrypt("no-mdc", NULL, "sesame", &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_nonnull(strstr(error->message, "without integrity check"));
}

static void messages_are_known_by_their_begin(void)
{
    static const struct {
        const char *name;
        bool want;
    } cases[] = { { "symmetric", true },
                  { "to-both", true },
                  { "message", true },
                  { "stored", false },
                  { "plain.gz", false } };
    g_autofree char *made = sh("gzip -c $W/plain >$W/plain.gz");

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GBytes) bytes = file(cases[i].name);

        g_test_message("%s", cases[i].name);
        g_assert_cmpint(openpgp_looks_encrypted(g_bytes_get_data(bytes, NULL), 64), ==,
                        cases[i].want);
    }
}

/* ---- afterwards ---- */

static void nothing_is_left_behind(void)
{
    g_autofree char *tmp = sh("ls -A $W/tmp | grep bs-gpg || true"), *running = ours_running();

    g_assert_cmpstr(tmp, ==, "");
    g_assert_cmpstr(running, ==, "");
}

int main(int argc, char **argv)
{
    g_autofree char *end = NULL;
    int status;

    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    world = g_strconcat(g_getenv("TMPDIR") ? g_getenv("TMPDIR") : "/tmp", "/bs-pgp-XXXXXX", NULL);
    g_assert_nonnull(mkdtemp(world));
    make_world();
    g_test_add_func("/openpgp/to keys", gpg_opens_what_is_encrypted_to_keys);
    g_test_add_func("/openpgp/recipients", recipients_are_chosen_by_fingerprint);
    g_test_add_func("/openpgp/unusable keys",
                    keys_that_cannot_be_used_are_refused_before_anything_is_written);
    g_test_add_func("/openpgp/no key", what_is_no_key_is_refused);
    g_test_add_func("/openpgp/passphrase", gpg_opens_what_is_encrypted_with_a_passphrase);
    g_test_add_func("/openpgp/bad passphrases", passphrases_that_gpg_cannot_take_are_refused);
    g_test_add_func("/openpgp/full", a_way_that_is_full_is_told);
    g_test_add_func("/openpgp/killed", a_killed_gpg_is_a_failure);
    g_test_add_func("/openpgp/given up", what_is_given_up_ends_quietly);
    g_test_add_func("/openpgp/decrypt", what_gpg_encrypts_is_opened);
    g_test_add_func("/openpgp/cannot be opened", what_cannot_be_opened_says_why);
    g_test_add_func("/openpgp/whose key", whose_key_is_missing_is_told);
    g_test_add_func("/openpgp/expired since", a_key_that_expired_since_opens);
    g_test_add_func("/openpgp/damaged", what_was_changed_or_cut_off_is_refused);
    g_test_add_func("/openpgp/joined", another_message_behind_it_is_refused);
    g_test_add_func("/openpgp/no integrity check", a_message_without_integrity_check_is_refused);
    g_test_add_func("/openpgp/looks", messages_are_known_by_their_begin);
    g_test_add_func("/openpgp/left", nothing_is_left_behind);
    status = g_test_run();
    // an agent that ends takes its sockets away, and nobody else may be at them then
    end = sh("gpgconf --kill all; for i in {1..600}; do "
             "pgrep -f \"gpg-agen[t] --homedir $W/\" >/dev/null || break; sleep 0.1; done");
    g_strfreev(environment);
    tempdir_remove(world);
    return status;
}
