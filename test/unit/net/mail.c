/* SPDX-License-Identifier: Apache-2.0 */
#include "net/mail.h"

#include "base/error.h"

#include <string.h>

static const char *const one[] = { "ops@example.org", NULL };

static Mail mail_of(const char *subject, const char *text)
{
    return (Mail){ .from = "Backstay <backstay@example.org>",
                   .to = one,
                   .subject = subject,
                   .text = text,
                   .date = 880127706, // RFC 5322, appendix A.5, has this day
                   .id = "0193-ab" };
}

static GString *built(const Mail *mail)
{
    g_autoptr(GError) error = NULL;
    GString *text = mail_build(mail, &error);

    g_assert_no_error(error);
    return text;
}

static void assert_has(const GString *text, const char *part)
{
    if (!strstr(text->str, part))
        g_error("lacks '%s':\n%s", part, text->str);
}

static void addresses_are_parsed(void)
{
    static const struct {
        const char *text, *name, *address; /* address NULL: refused */
    } cases[] = {
        { "ops@example.org", NULL, "ops@example.org" },
        { "  ops@example.org ", NULL, "ops@example.org" },
        { "<ops@example.org>", NULL, "ops@example.org" },
        { "Night Watch <ops+night@example.org>", "Night Watch", "ops+night@example.org" },
        { "\"Watch, Night\" <ops@localhost>", "Watch, Night", "ops@localhost" },
        { "J\xc3\xbcrgen <j@example.org>", "J\xc3\xbcrgen", "j@example.org" },
        { "", NULL, NULL },
        { "ops", NULL, NULL },
        { "@example.org", NULL, NULL },
        { "ops@", NULL, NULL },
        { "ops@exa mple.org", NULL, NULL },
        { "ops@example.org, two@example.org", NULL, NULL },
        { "ops@example.org\r\nBcc: all@example.org", NULL, NULL },
        { "Ops\nBcc: all@example.org <ops@example.org>", NULL, NULL },
        { "ops@example.org>\r\nDATA", NULL, NULL },
        { "<ops@example.org> SIZE=1", NULL, NULL },
        { "ops@[127.0.0.1]", NULL, NULL },
        { "\"a b\"@example.org", NULL, NULL },
        { "ops@ex\xc3\xa4mple.org", NULL, NULL },
        { "\xff <ops@example.org>", NULL, NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_auto(MailAddress) address = { 0 };
        bool parsed = mail_address_parse(cases[i].text, &address, &error);

        g_test_message("%s", cases[i].text);
        g_assert_cmpint(parsed, ==, cases[i].address != NULL);
        if (!parsed)
            g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_cmpstr(address.name, ==, cases[i].name);
        g_assert_cmpstr(address.address, ==, cases[i].address);
    }
}

static void overlong_addresses_are_refused(void)
{
    g_autofree char *local = g_strnfill(244, 'a');
    g_autofree char *fits = g_strconcat(local, "@abcde.org", NULL); // 254 bytes
    g_autofree char *over = g_strconcat("a", fits, NULL);
    g_auto(MailAddress) address = { 0 };

    g_assert_true(mail_address_parse(fits, &address, NULL));
    g_assert_false(mail_address_parse(over, &address, NULL));
}

static void headers_name_what_programs_look_for(void)
{
    Mail mail = mail_of("backup failed", "text\n");
    g_autoptr(GString) text = NULL;

    mail.thread = "0193-aa";
    mail.list = "backstay";
    mail.event = "failed/opened";
    mail.domain = "backup.example.net";
    text = built(&mail);
    assert_has(text, "From: \"Backstay\" <backstay@example.org>\r\n");
    assert_has(text, "\r\nTo: ops@example.org\r\n");
    assert_has(text, "\r\nSubject: backup failed\r\n");
    assert_has(text, "\r\nDate: Fri, 21 Nov 1997 15:55:06 +0000\r\n");
    assert_has(text, "\r\nMessage-ID: <0193-ab@backup.example.net>\r\n");
    assert_has(text, "\r\nIn-Reply-To: <0193-aa@backup.example.net>\r\n");
    assert_has(text, "\r\nReferences: <0193-aa@backup.example.net>\r\n");
    assert_has(text, "\r\nAuto-Submitted: auto-generated\r\n");
    assert_has(text, "\r\nList-Id: <backstay.backup.example.net>\r\n");
    assert_has(text, "\r\nX-Backstay-Event: failed/opened\r\n");
    assert_has(text, "\r\nContent-Type: text/plain; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: quoted-printable\r\n\r\ntext\r\n");
}

/* Whatever a name holds, a mail has the headers that we gave it, and each once. */
static void headers_cannot_be_injected(void)
{
    static const char *const hostile[] = {
        "x\r\nBcc: all@example.org",
        "x\nBcc: all@example.org",
        "x\rBcc: all@example.org",
        "x\r\n\r\n<script>",
        "=?UTF-8?B?DQpCY2M6IGFsbEBleGFtcGxlLm9yZw==?=",
        "\xc3\xa4\r\nBcc: all@example.org",
        "x\xff\xfe\r\nBcc: all@example.org",
        "x\xe2\x80\xa8"
        "Bcc: y",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
        Mail mail = mail_of(hostile[i], "text\n");
        g_autoptr(GString) text = NULL;
        const char *end;

        mail.event = hostile[i];
        text = built(&mail);
        end = strstr(text->str, "\r\n\r\n");
        g_assert_nonnull(end);
        g_string_truncate(text, (gsize)(end - text->str));
        g_test_message("%s", text->str);
        g_assert_null(strstr(text->str, "\nBcc"));
        g_assert_null(strstr(text->str, "=?UTF-8?B?DQpC"));
        g_assert_null(strstr(text->str, "\n<script"));
        for (const char *c = text->str; *c; c++) {
            g_assert_cmpint((unsigned char)*c, <, 0x7f);
            g_assert_true(*c != '\n' || (c > text->str && c[-1] == '\r'));
            g_assert_true(*c != '\r' || c[1] == '\n');
        }
    }
}

static void ids_are_plain(void)
{
    static const char *const hostile[] = { "", "a b", "a>", "a\r\nBcc: x", "\xc3\xa4", "a@b" };

    for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
        Mail mails[] = { mail_of("s", "t"), mail_of("s", "t"), mail_of("s", "t") };

        mails[0].id = mails[1].thread = mails[2].list = hostile[i];
        for (size_t j = 0; j < G_N_ELEMENTS(mails); j++) {
            g_autoptr(GError) error = NULL;

            g_assert_null(mail_build(&mails[j], &error));
            g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        }
    }
}

static void subjects_are_encoded(void)
{
    static const struct {
        const char *subject, *header;
    } cases[] = {
        { "plain", "Subject: plain\r\n" },
        // the examples of RFC 2047, 8, in our character set: "Keld Jørn Simonsen", "Patrik
        // Fältström"
        { "Patrik F\xc3\xa4ltstr\xc3\xb6m", "Subject: =?UTF-8?B?UGF0cmlrIEbDpGx0c3Ryw7Zt?=\r\n" },
        { "a very long subject that must be folded because no line of a header may be that long at "
          "all",
          "Subject: a very long subject that must be folded because no line of a header\r\n may be "
          "that long at all\r\n" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Mail mail = mail_of(cases[i].subject, "t");
        g_autoptr(GString) text = built(&mail);

        assert_has(text, cases[i].header);
    }
}

/* An encoded word holds whole characters (RFC 2047, 5) and fits 75 bytes. */
static void encoded_words_hold_whole_characters(void)
{
    g_autoptr(GString) subject = g_string_new(NULL);
    g_autoptr(GString) decoded = g_string_new(NULL);
    g_autoptr(GString) text = NULL;
    const char *at;
    Mail mail;

    for (unsigned i = 0; i < 100; i++)
        g_string_append(subject, i % 3 ? "\xe2\x82\xac" : "x");
    mail = mail_of(subject->str, "t");
    text = built(&mail);
    at = strstr(text->str, "Subject: ") + strlen("Subject: ");
    while (g_str_has_prefix(at, "=?UTF-8?B?")) {
        const char *end = strstr(at, "?=");
        g_autofree char *word = g_strndup(at + 10, (gsize)(end - at - 10));
        gsize len;
        g_autofree guchar *bytes = g_base64_decode(word, &len);

        g_assert_cmpint(end + 2 - at, <=, 75);
        g_assert_true(g_utf8_validate((const char *)bytes, (gssize)len, NULL));
        g_string_append_len(decoded, (const char *)bytes, (gssize)len);
        at = end + 2;
        if (g_str_has_prefix(at, "\r\n ="))
            at += 3;
    }
    g_assert_cmpstr(decoded->str, ==, subject->str);
}

static void bodies_are_quoted_printable(void)
{
    static const struct {
        const char *label, *text, *want;
    } cases[] = {
        { "plain lines", "one\ntwo\n", "one\r\ntwo\r\n" },
        { "no end of line", "one", "one\r\n" },
        { "the equals sign", "a=b\n", "a=3Db\r\n" },
        { "white space at the end of a line", "a \nb\t\nc ", "a=20\r\nb=09\r\nc=20\r\n" },
        { "UTF-8", "caf\xc3\xa9\n", "caf=C3=A9\r\n" },
        { "a bare carriage return", "a\rb\n", "a=0Db\r\n" },
        { "other line ends", "a\r\nb\r\n", "a\r\nb\r\n" },
        { "what is no UTF-8", "\xff\n", "=EF=BF=BD\r\n" },
        { "a dot alone stays, the client doubles it", ".\n", ".\r\n" },
        { "a line of 75",
          "123456789012345678901234567890123456789012345678901234567890123456789012345\n",
          "123456789012345678901234567890123456789012345678901234567890123456789012345\r\n" },
        { "a line of 77",
          "12345678901234567890123456789012345678901234567890123456789012345678901234567\n",
          "123456789012345678901234567890123456789012345678901234567890123456789012345="
          "\r\n67\r\n" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Mail mail = mail_of("s", cases[i].text);
        g_autoptr(GString) text = built(&mail);

        g_test_message("%s", cases[i].label);
        g_assert_cmpstr(strstr(text->str, "\r\n\r\n") + 4, ==, cases[i].want);
    }
}

static void html_is_the_second_choice_of_two(void)
{
    Mail mail = mail_of("s", "plain\n--=_0193-ab--\n");
    g_autoptr(GString) text = NULL;
    unsigned n = 0;

    mail.html = "<p>rich</p>";
    text = built(&mail);
    assert_has(text, "Content-Type: multipart/alternative; boundary=\"=_0193-ab\"\r\n");
    g_assert_cmpuint(strstr(text->str, "plain\r\n") - text->str, <,
                     strstr(text->str, "<p>rich</p>") - text->str);
    for (const char *at = text->str; (at = strstr(at, "\r\n--=_0193-ab")); at++)
        n++;
    g_assert_cmpuint(n, ==, 3);
    g_assert_true(g_str_has_suffix(text->str, "\r\n--=_0193-ab--\r\n"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mail/addresses are parsed", addresses_are_parsed);
    g_test_add_func("/mail/overlong addresses are refused", overlong_addresses_are_refused);
    g_test_add_func("/mail/headers name what programs look for",
                    headers_name_what_programs_look_for);
    g_test_add_func("/mail/headers cannot be injected", headers_cannot_be_injected);
    g_test_add_func("/mail/ids are plain", ids_are_plain);
    g_test_add_func("/mail/subjects are encoded", subjects_are_encoded);
    g_test_add_func("/mail/encoded words hold whole characters",
                    encoded_words_hold_whole_characters);
    g_test_add_func("/mail/bodies are quoted-printable", bodies_are_quoted_printable);
    g_test_add_func("/mail/html is the second choice of two", html_is_the_second_choice_of_two);
    return g_test_run();
}
