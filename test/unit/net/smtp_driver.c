/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_driver HOST PORT starttls|implicit|plain CA USER FROM TO...   one mail, whose subject and
 * text are standard input; the password is $SMTP_PASSWORD, "-" stands for no CA and no user. A line
 * for each recipient, "delivered", "later" or "refused" and what the server said; or one with the
 * error's number and text, and status 1.
 */
#include "base/error.h"
#include "net/mail.h"
#include "net/smtp.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *given(const char *word)
{
    return strcmp(word, "-") == 0 ? NULL : word;
}

static SmtpTls tls_of(const char *word)
{
    return strcmp(word, "implicit") == 0 ? SMTP_IMPLICIT
           : strcmp(word, "plain") == 0  ? SMTP_PLAIN
                                         : SMTP_STARTTLS;
}

static GString *text_of(const char *from, const char *const *to, GError **error)
{
    char text[65536];
    size_t len = fread(text, 1, sizeof text - 1, stdin);
    Mail mail = { .from = from,
                  .to = to,
                  .subject = text,
                  .text = text,
                  .html = "<p>\xc3\xa4</p>",
                  .date = 1700000000,
                  .id = "0193-driver",
                  .list = "backstay",
                  .event = "test" };

    text[len] = '\0';
    return mail_build(&mail, error);
}

int main(int argc, char **argv)
{
    static const char *const words[] = { "delivered", "later", "refused" };
    const char *password = getenv("SMTP_PASSWORD");
    g_autoptr(Secret) secret = password ? secret_new(password, strlen(password)) : NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = NULL;
    SmtpAnswer *answers = NULL;
    SmtpServer server;
    size_t n;

    if (argc < 8)
        return 2;
    (void)signal(SIGPIPE, SIG_IGN);
    n = (size_t)argc - 7;
    server = (SmtpServer){ .host = argv[1],
                           .port = (unsigned)atoi(argv[2]),
                           .tls = tls_of(argv[3]),
                           .ca_file = given(argv[4]),
                           .user = given(argv[5]),
                           .password = secret,
                           .helo = "driver.test",
                           .timeout_ms = getenv("SMTP_MS") ? atoi(getenv("SMTP_MS")) : 0 };
    text = text_of(argv[6], (const char *const *)argv + 7, &error);
    if (!text ||
        !smtp_send(&server, argv[6], (const char *const *)argv + 7, n, text, &answers, &error)) {
        printf("error %d %s\n", error->code, error->message);
        return 1;
    }
    for (size_t i = 0; i < n; i++)
        printf("%s %s\n", words[answers[i].outcome], answers[i].said ? answers[i].said : "");
    smtp_answers_free(answers, n);
    return 0;
}
