/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing a mail to a server: SMTP (RFC 5321) by libcurl, over TLS whose names are verified. Each
 * call is a connection of its own in the thread that asks. The process ignores SIGPIPE.
 */
#pragma once
#include "base/cancel.h"
#include "base/secret.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
    SMTP_STARTTLS, /* required: without it nothing is sent */
    SMTP_IMPLICIT, /* TLS from the first byte */
    SMTP_PLAIN,    /* no TLS at all, and no password of ours is kept from listeners */
} SmtpTls;

typedef struct {
    const char *host; /* name or address, without a port */
    unsigned port;    /* 0: 587, 465 for implicit TLS, 25 for none */
    SmtpTls tls;
    const char *ca_file;    /* PEM, instead of the system's; NULL: the system's */
    const char *user;       /* AUTH PLAIN or LOGIN; NULL: no login */
    const Secret *password; /* with user */
    const char *helo;       /* what we call ourselves; NULL: the machine's name */
    int64_t timeout_ms;     /* for all of it; 0: two minutes */
    const Cancel *cancel;   /* may be NULL */
} SmtpServer;

typedef enum {
    SMTP_DELIVERED,
    SMTP_LATER,   /* refused for now (4yz), or nothing was heard of it */
    SMTP_REFUSED, /* for good (5yz) */
} SmtpOutcome;

typedef struct {
    SmtpOutcome outcome;
    char *said; /* the server's words for it: "550 no such user"; NULL: none, or delivered */
} SmtpAnswer;
void smtp_answers_free(SmtpAnswer *answers, size_t n);

/*
 * Sends one text to n recipients. True when the server took it for one at least: then, and only
 * then, ret_answers has an entry for each, in their order, freed with smtp_answers_free(). Else
 * BS_ERROR_TRANSIENT: it may go later; BS_ERROR_AUTH: the login is refused; BS_ERROR_DENIED: the
 * certificate, or the whole mail, for good; BS_ERROR_NOT_FOUND: every recipient for good;
 * BS_ERROR_USAGE: an address that is none; BS_ERROR_CANCELLED. A connection that breaks after the
 * text was sent is transient, too, though the mail may have arrived: its Message-ID is the same
 * next time.
 */
bool smtp_send(const SmtpServer *server, const char *from, const char *const *to, size_t n,
               const GString *text, SmtpAnswer **ret_answers, GError **error);
