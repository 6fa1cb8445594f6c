/* SPDX-License-Identifier: Apache-2.0 */
#include "net/mail.h"

#include "base/error.h"
#include "codec/json.h"

#include <string.h>

#define ADDRESS_MAX 254
#define LINE_MAX_QP 76 /* RFC 2045, 6.7, rule 5 */
#define WORD_BYTES  45 /* RFC 2047, 2: 75 with "=?UTF-8?B?" and "?=", the rest base64 */

/* ---- addresses ---- */

void mail_address_clear(MailAddress *address)
{
    g_clear_pointer(&address->name, g_free);
    g_clear_pointer(&address->address, g_free);
}

/* The dot-atoms of RFC 5322, 3.2.3, without comments, quotes and literals, that nobody needs. */
static bool is_address(const char *text)
{
    const char *at = strrchr(text, '@');

    if (!at || at == text || !at[1] || strlen(text) > ADDRESS_MAX)
        return false;
    for (const char *c = text; *c; c++) {
        bool plain = g_ascii_isalnum(*c) || strchr(".-_", *c);

        if (c != at && !plain && (c > at || !strchr("!#$%&'*+/=?^`{|}~", *c)))
            return false;
    }
    return true;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static char *without_quotes(char *name)
{
    size_t len = strlen(g_strstrip(name));

    if (len >= 2 && name[0] == '"' && name[len - 1] == '"') {
        memmove(name, name + 1, len - 2);
        name[len - 2] = '\0';
    }
    return name;
}

bool mail_address_parse(const char *text, MailAddress *ret_address, GError **error)
{
    const char *open = strrchr(text, '<');
    const char *close = open ? strchr(open, '>') : NULL;
    g_auto(MailAddress) address = { 0 };

    if (open && close && close[1 + strspn(close + 1, " ")] == '\0') {
        address.name = without_quotes(g_strndup(text, (gsize)(open - text)));
        address.address = g_strndup(open + 1, (gsize)(close - open - 1));
    } else {
        address.address = g_strstrip(g_strdup(text));
    }
    if (!is_printable(text) || !utf8_valid(text, strlen(text)) || !is_address(address.address)) {
        g_autofree char *shown = g_strescape(text, NULL);

        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "'%s' is no mail address; it reads user@host or Name <user@host>", shown);
        return false;
    }
    if (address.name && !*address.name)
        g_clear_pointer(&address.name, g_free);
    *ret_address = address;
    address = (MailAddress){ 0 };
    return true;
}

/* ---- headers ---- */

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

/* One line of valid UTF-8: what could end a header or begin another becomes a space. */
static char *one_line(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    for (char *c = valid; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    return g_strstrip(g_steal_pointer(&valid));
}

/* RFC 2047: words of base64, none of which ends within a character. */
static void append_encoded(GString *out, const char *text)
{
    const char *separator = "";

    while (*text) {
        size_t len = 0;
        g_autofree char *word = NULL;

        while (text[len]) {
            size_t next = (size_t)(g_utf8_next_char(text + len) - text);

            if (next > WORD_BYTES)
                break;
            len = next;
        }
        word = g_base64_encode((const guchar *)text, len);
        g_string_append_printf(out, "%s=?UTF-8?B?%s?=", separator, word);
        separator = "\r\n ";
        text += len;
    }
}

/* Folded at spaces (RFC 5322, 2.2.3); a word that is longer than a line stays whole. */
static void append_folded(GString *out, size_t column, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);

    for (size_t i = 0; words[i]; i++) {
        size_t len = strlen(words[i]);

        if (i > 0 && *words[i] && column + 1 + len > LINE_MAX_QP) {
            g_string_append(out, "\r\n");
            column = 0;
        }
        if (i > 0)
            g_string_append_c(out, ' ');
        g_string_append(out, words[i]);
        column += len + (i > 0);
    }
}

static void add_text_header(GString *out, const char *name, const char *value)
{
    g_autofree char *line = one_line(value);

    g_string_append_printf(out, "%s: ", name);
    // a plain text that looks like an encoded word would be read as one
    if (is_plain(line) && !strstr(line, "=?") && strlen(line) < 900)
        append_folded(out, strlen(name) + 2, line);
    else
        append_encoded(out, line);
    g_string_append(out, "\r\n");
}

static void append_address(GString *out, const MailAddress *address)
{
    if (!address->name) {
        g_string_append(out, address->address);
        return;
    }
    if (is_plain(address->name) && !strpbrk(address->name, "\"\\") && !strstr(address->name, "=?"))
        g_string_append_printf(out, "\"%s\"", address->name);
    else
        append_encoded(out, address->name);
    g_string_append_printf(out, " <%s>", address->address);
}

static bool add_addresses(GString *out, const char *name, const char *const *texts, GError **error)
{
    g_string_append_printf(out, "%s: ", name);
    for (size_t i = 0; texts[i]; i++) {
        g_auto(MailAddress) address = { 0 };

        if (!mail_address_parse(texts[i], &address, error))
            return false;
        if (i > 0)
            g_string_append(out, ",\r\n ");
        append_address(out, &address);
    }
    g_string_append(out, "\r\n");
    return true;
}

/* "Fri, 21 Nov 1997 09:55:06 +0000", in English whatever the locale (RFC 5322, 3.3). */
static void add_date(GString *out, int64_t date)
{
    static const char *const days[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(date);

    if (!time)
        return;
    g_string_append_printf(
        out, "Date: %s, %d %s %04d %02d:%02d:%02d +0000\r\n",
        days[g_date_time_get_day_of_week(time) - 1], g_date_time_get_day_of_month(time),
        months[g_date_time_get_month(time) - 1], g_date_time_get_year(time),
        g_date_time_get_hour(time), g_date_time_get_minute(time), g_date_time_get_second(time));
}

static bool is_id(const char *text)
{
    return *text && strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 ".-_") == strlen(text);
}

static bool check_ids(const Mail *mail, const char *domain, GError **error)
{
    const char *const ids[] = { mail->id, mail->thread ? mail->thread : "-", domain,
                                mail->list ? mail->list : "-" };

    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
        if (!is_id(ids[i])) {
            g_autofree char *shown = g_strescape(ids[i], NULL);

            g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "'%s' cannot stand in a mail's id", shown);
            return false;
        }
    }
    return true;
}

/* RFC 3834, 5: nobody's holiday answer comes back to what a program sent. */
static void add_ids(GString *out, const Mail *mail, const char *domain)
{
    g_string_append_printf(out, "Message-ID: <%s@%s>\r\n", mail->id, domain);
    if (mail->thread)
        g_string_append_printf(out, "In-Reply-To: <%s@%s>\r\nReferences: <%s@%s>\r\n", mail->thread,
                               domain, mail->thread, domain);
    g_string_append(out, "Auto-Submitted: auto-generated\r\n");
    if (mail->list)
        g_string_append_printf(out, "List-Id: <%s.%s>\r\n", mail->list, domain);
    if (mail->event)
        add_text_header(out, "X-Backstay-Event", mail->event);
    g_string_append(out, "MIME-Version: 1.0\r\n");
}

/* ---- bodies ---- */

/* Quoted-printable: RFC 2045, 6.7. A soft line end wherever the line would grow too long. */
static void append_quoted(GString *out, const char *text)
{
    size_t column = 0;

    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        char piece[4] = { (char)*c, '\0' };
        bool ends_line = c[1] == '\n' || c[1] == '\0' || (c[1] == '\r' && c[2] == '\n');

        if (*c == '\n' || (*c == '\r' && c[1] == '\n')) {
            c += *c == '\r';
            g_string_append(out, "\r\n");
            column = 0;
            continue;
        }
        if (*c == '=' || (*c < ' ' && *c != '\t') || *c >= 0x7f ||
            ((*c == ' ' || *c == '\t') && ends_line))
            (void)g_snprintf(piece, sizeof piece, "=%02X", *c);
        if (column + strlen(piece) > LINE_MAX_QP - 1) {
            g_string_append(out, "=\r\n");
            column = 0;
        }
        g_string_append(out, piece);
        column += strlen(piece);
    }
    if (column > 0)
        g_string_append(out, "\r\n");
}

static void add_part(GString *out, const char *type, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    g_string_append_printf(out,
                           "Content-Type: %s; charset=utf-8\r\n"
                           "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
                           type);
    append_quoted(out, valid);
}

/* "=_" cannot stand in quoted-printable text, so no body holds the boundary (RFC 2045, 6.7). */
static void add_body(GString *out, const Mail *mail)
{
    g_autofree char *boundary = g_strdup_printf("=_%.60s", mail->id);

    if (!mail->html) {
        add_part(out, "text/plain", mail->text);
        return;
    }
    g_string_append_printf(out,
                           "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n"
                           "--%s\r\n",
                           boundary, boundary);
    add_part(out, "text/plain", mail->text);
    g_string_append_printf(out, "\r\n--%s\r\n", boundary);
    add_part(out, "text/html", mail->html);
    g_string_append_printf(out, "\r\n--%s--\r\n", boundary);
}

GString *mail_build(const Mail *mail, GError **error)
{
    const char *const from[] = { mail->from, NULL };
    g_auto(MailAddress) sender = { 0 };
    g_autoptr(GString) out = g_string_new(NULL);
    const char *domain;

    if (!mail_address_parse(mail->from, &sender, error))
        return NULL;
    domain = mail->domain ? mail->domain : strrchr(sender.address, '@') + 1;
    if (!check_ids(mail, domain, error) || !add_addresses(out, "From", from, error) ||
        !add_addresses(out, "To", mail->to, error))
        return NULL;
    add_text_header(out, "Subject", mail->subject);
    add_date(out, mail->date);
    add_ids(out, mail, domain);
    add_body(out, mail);
    return g_steal_pointer(&out);
}
