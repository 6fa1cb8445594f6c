/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walwire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define GREETING "backstay-wal 1 " /* with WALWIRE_VERSION */

static const char *const verbs[] = {
    [WALWIRE_PING] = "ping",
    [WALWIRE_PUSH] = "push",
};

static const char *const kinds[] = {
    [WALWIRE_PONG] = "pong",     [WALWIRE_WAIT] = "wait", [WALWIRE_DONE] = "done",
    [WALWIRE_FAILED] = "failed", [WALWIRE_AWAY] = "away",
};

/* ---- pieces of a packet ---- */

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Bytes that end where the next blank or the packet ends. */
typedef struct {
    const char *at, *end;
} Rest;

/* The next word; false at the end, or when a blank stands where a word should. */
static bool take_word(Rest *rest, const char **ret_word, size_t *ret_len)
{
    const char *blank = memchr(rest->at, ' ', (size_t)(rest->end - rest->at));
    const char *end = blank ? blank : rest->end;

    if (end == rest->at)
        return false;
    *ret_word = rest->at;
    *ret_len = (size_t)(end - rest->at);
    rest->at = blank ? blank + 1 : end;
    return true;
}

/* One spelling only: no sign, no zero in front. */
static bool take_number(Rest *rest, uint64_t max, uint64_t *ret_value)
{
    const char *word;
    uint64_t value = 0;
    size_t len;

    if (!take_word(rest, &word, &len) || (word[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++) {
        uint64_t digit = (uint64_t)(word[i] - '0');

        if (word[i] < '0' || word[i] > '9' || digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

/* Which of the words comes next; -1: none of them. */
static int take_one_of(Rest *rest, const char *const *words, size_t n)
{
    const char *word;
    size_t len;

    if (!take_word(rest, &word, &len))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0)
            return (int)i;
    return -1;
}

static bool copy_text(const char *from, size_t len, size_t max, char *to)
{
    if (len > max)
        return false;
    for (size_t i = 0; i < len; i++)
        if (is_control(from[i]))
            return false;
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

/* All that is left, blanks included. */
static bool take_text(Rest *rest, size_t max, char *to)
{
    size_t len = (size_t)(rest->end - rest->at);

    if (!copy_text(rest->at, len, max, to))
        return false;
    rest->at = rest->end;
    return true;
}

static bool begin_parse(const char *packet, size_t len, Rest *ret_rest)
{
    size_t greeting = strlen(GREETING);

    if (len < greeting || len > WALWIRE_MAX || memcmp(packet, GREETING, greeting) != 0)
        return false;
    *ret_rest = (Rest){ packet + greeting, packet + len };
    return true;
}

static size_t written(int n)
{
    return n > 0 && n < WALWIRE_MAX ? (size_t)n : 0;
}

/* ---- requests ---- */

static bool is_word(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);

    if (len == 0 || len > max || memchr(text, ' ', len))
        return false;
    for (size_t i = 0; i < len; i++)
        if (is_control(text[i]))
            return false;
    return true;
}

static bool is_location(const char *text)
{
    char copy[WALWIRE_REPOSITORY_MAX + 1];

    return copy_text(text, strnlen(text, sizeof copy), WALWIRE_REPOSITORY_MAX, copy);
}

size_t walwire_format_request(const WalWireRequest *request, char packet[WALWIRE_MAX])
{
    if (request->verb == WALWIRE_PING)
        return written(snprintf(packet, WALWIRE_MAX, GREETING "ping"));
    if (!is_word(request->name, WALWIRE_NAME_MAX) || !is_location(request->repository))
        return 0;
    return written(snprintf(packet, WALWIRE_MAX, GREETING "push %" PRIu64 " %s %s",
                            request->system_id, request->name, request->repository));
}

static bool parse_push(Rest *rest, WalWireRequest *request)
{
    const char *name;
    size_t len;

    return take_number(rest, UINT64_MAX, &request->system_id) && take_word(rest, &name, &len) &&
           rest->at[-1] == ' ' && copy_text(name, len, WALWIRE_NAME_MAX, request->name) &&
           take_text(rest, WALWIRE_REPOSITORY_MAX, request->repository);
}

bool walwire_parse_request(const char *packet, size_t len, WalWireRequest *ret_request)
{
    WalWireRequest request = { 0 };
    Rest rest;
    int verb;

    if (!begin_parse(packet, len, &rest))
        return false;
    verb = take_one_of(&rest, verbs, sizeof verbs / sizeof *verbs);
    if (verb < 0)
        return false;
    request.verb = (WalWireVerb)verb;
    if (request.verb == WALWIRE_PUSH ? !parse_push(&rest, &request) : packet[len - 1] == ' ')
        return false;
    if (rest.at != rest.end)
        return false;
    *ret_request = request;
    return true;
}

/* ---- answers ---- */

/* Cut between characters: what continues one in UTF-8 begins with the bits 10. */
static void clean_text(const char *from, char to[WALWIRE_TEXT_MAX + 1])
{
    size_t len = strnlen(from, WALWIRE_TEXT_MAX + 1);

    if (len > WALWIRE_TEXT_MAX) {
        len = WALWIRE_TEXT_MAX;
        while (len > 0 && ((unsigned char)from[len] & 0xc0) == 0x80)
            len--;
    }
    for (size_t i = 0; i < len; i++)
        to[i] = is_control(from[i]) ? ' ' : from[i];
    to[len] = '\0';
}

size_t walwire_format_answer(const WalWireAnswer *answer, char packet[WALWIRE_MAX])
{
    const char *kind = kinds[answer->kind];
    char text[WALWIRE_TEXT_MAX + 1];

    switch (answer->kind) {
    case WALWIRE_PONG:
    case WALWIRE_WAIT:
        return written(snprintf(packet, WALWIRE_MAX, GREETING "%s", kind));
    case WALWIRE_DONE:
        return written(snprintf(packet, WALWIRE_MAX,
                                GREETING "%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %d", kind,
                                answer->system_id, answer->len, answer->stored, answer->was_there));
    case WALWIRE_FAILED:
        clean_text(answer->text, text);
        return written(
            snprintf(packet, WALWIRE_MAX, GREETING "%s %d %s", kind, answer->status, text));
    case WALWIRE_AWAY:
        clean_text(answer->text, text);
        return written(snprintf(packet, WALWIRE_MAX, GREETING "%s %s", kind, text));
    }
    return 0;
}

static bool parse_done(Rest *rest, WalWireAnswer *answer)
{
    uint64_t was_there;

    if (!take_number(rest, UINT64_MAX, &answer->system_id) ||
        !take_number(rest, UINT64_MAX, &answer->len) ||
        !take_number(rest, UINT64_MAX, &answer->stored) || !take_number(rest, 1, &was_there))
        return false;
    answer->was_there = was_there == 1;
    return true;
}

static bool parse_failed(Rest *rest, WalWireAnswer *answer)
{
    uint64_t status;

    if (!take_number(rest, 255, &status) || status == 0 || rest->at[-1] != ' ' ||
        !take_text(rest, WALWIRE_TEXT_MAX, answer->text))
        return false;
    answer->status = (int)status;
    return true;
}

static bool parse_rest(Rest *rest, WalWireAnswer *answer)
{
    switch (answer->kind) {
    case WALWIRE_PONG:
    case WALWIRE_WAIT:
        return true;
    case WALWIRE_DONE:
        return parse_done(rest, answer);
    case WALWIRE_FAILED:
        return parse_failed(rest, answer);
    case WALWIRE_AWAY:
        return rest->at[-1] == ' ' && take_text(rest, WALWIRE_TEXT_MAX, answer->text);
    }
    return false;
}

bool walwire_parse_answer(const char *packet, size_t len, WalWireAnswer *ret_answer)
{
    WalWireAnswer answer = { 0 };
    Rest rest;
    int kind;

    if (!begin_parse(packet, len, &rest))
        return false;
    kind = take_one_of(&rest, kinds, sizeof kinds / sizeof *kinds);
    if (kind < 0)
        return false;
    answer.kind = (WalWireKind)kind;
    // a blank at the end of a packet, and nothing after it, is none of ours
    if (!parse_rest(&rest, &answer) || rest.at != rest.end ||
        (answer.kind <= WALWIRE_DONE && packet[len - 1] == ' '))
        return false;
    *ret_answer = answer;
    return true;
}
