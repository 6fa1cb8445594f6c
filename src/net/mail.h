/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mail as text: RFC 5322 headers, multipart/alternative of plain text and HTML (RFC 2046), UTF-8
 * in headers by RFC 2047 and in bodies by quoted-printable (RFC 2045). Pure: date, id and all else
 * are given, so the same mail is the same text whenever it is tried again.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char *name;    /* "Night Watch"; NULL: none */
    char *address; /* user@host, printable ASCII */
} MailAddress;
void mail_address_clear(MailAddress *address);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MailAddress, mail_address_clear)

/* "user@host" or "Name <user@host>". BS_ERROR_USAGE for anything else, control characters and
 * addresses beyond 254 bytes above all (RFC 5321, 4.5.3.1). */
bool mail_address_parse(const char *text, MailAddress *ret_address, GError **error);

typedef struct {
    const char *from;      /* as mail_address_parse() takes it */
    const char *const *to; /* the same, at least one, NULL-terminated */
    const char *subject;   /* one line; line ends and the like become spaces */
    const char *text;      /* plain, lines end with "\n" */
    const char *html;      /* NULL: plain text alone */
    int64_t date;          /* Unix seconds */
    const char *id;        /* names this mail for ever: letters, digits, '.', '-', '_' */
    const char *thread;    /* the id of the mail that this one answers; NULL: none */
    const char *domain;    /* of ids and List-Id; NULL: that of the sender */
    const char *list;      /* what List-Id calls us, as "backstay"; NULL: no such header */
    const char *event;     /* X-Backstay-Event, as "failed/opened"; NULL: no such header */
} Mail;

/* With "\r\n" after every line, dots not doubled. BS_ERROR_USAGE: an address, or an id, is none. */
GString *mail_build(const Mail *mail, GError **error);
