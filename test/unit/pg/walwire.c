/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walwire.h"

#include "pg/walsocket.h"
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- packets, as doc/wal-protocol.md shows them ---- */

static void requests_are_read(void)
{
    static const struct {
        const char *packet;
        WalWireVerb verb;
        uint64_t system_id;
        const char *name, *repository;
    } cases[] = {
        { "backstay-wal 1 ping", WALWIRE_PING, 0, "", "" },
        { "backstay-wal 1 push 7710524941605437269 000000010000000000000001 /srv/backup",
          WALWIRE_PUSH, 7710524941605437269u, "000000010000000000000001", "/srv/backup" },
        { "backstay-wal 1 push 0 00000002.history ", WALWIRE_PUSH, 0, "00000002.history", "" },
        { "backstay-wal 1 push 18446744073709551615 x /a place/with blanks ", WALWIRE_PUSH,
          UINT64_MAX, "x", "/a place/with blanks " },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        WalWireRequest request = { 0 };
        char packet[WALWIRE_MAX];
        size_t len = strlen(cases[i].packet);

        g_test_message("%s", cases[i].packet);
        g_assert_true(walwire_parse_request(cases[i].packet, len, &request));
        g_assert_cmpint(request.verb, ==, cases[i].verb);
        g_assert_cmpuint(request.system_id, ==, cases[i].system_id);
        g_assert_cmpstr(request.name, ==, cases[i].name);
        g_assert_cmpstr(request.repository, ==, cases[i].repository);
        g_assert_cmpuint(walwire_format_request(&request, packet), ==, len);
        g_assert_cmpmem(packet, len, cases[i].packet, len);
    }
}

static void what_is_no_request_is_refused(void)
{
    static const char *const cases[] = {
        "",
        "backstay-wal 1",
        "backstay-wal 1 ",
        "backstay-wal 2 ping",
        "backstay-wal 11 ping",
        "backstay-wal 1  ping",
        "backstay-wal 1 ping ",
        "backstay-wal 1 ping x",
        "backstay-wal 1 pus",
        "backstay-wal 1 push",
        "backstay-wal 1 push 1",
        "backstay-wal 1 push 1 ",
        "backstay-wal 1 push 1 name",
        "backstay-wal 1 push  name ",
        "backstay-wal 1 push 01 name ",
        "backstay-wal 1 push -1 name ",
        "backstay-wal 1 push +1 name ",
        "backstay-wal 1 push 18446744073709551616 name ",
        "backstay-wal 1 push 99999999999999999999999 name ",
        "backstay-wal 1 push 1x name ",
        "backstay-wal 1 push 1 na\tme ",
        "backstay-wal 1 push 1 name /a\nb",
        "backstay-wal 1 push 1 "
        "0123456789012345678901234567890123456789012345678901234567890123 ",
        "\0\0\0\0",
        "GET / HTTP/1.1\r\n\r\n",
    };
    g_autofree char *large = g_strnfill(WALWIRE_MAX, 'x');
    WalWireRequest request;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i]);
        g_assert_false(walwire_parse_request(cases[i], strlen(cases[i]), &request));
    }
    memcpy(large, "backstay-wal 1 push 1 n ", 24);
    g_assert_false(walwire_parse_request(large, WALWIRE_MAX, &request));
    g_assert_false(walwire_parse_request("backstay-wal 1 ping\0", 20, &request));
}

static void what_cannot_be_said_is_not_sent(void)
{
    char packet[WALWIRE_MAX];
    WalWireRequest request = { .verb = WALWIRE_PUSH, .repository = "/srv" };

    g_assert_cmpuint(walwire_format_request(&request, packet), ==, 0);
    strcpy(request.name, "a b");
    g_assert_cmpuint(walwire_format_request(&request, packet), ==, 0);
    strcpy(request.name, "a");
    g_assert_cmpuint(walwire_format_request(&request, packet), >, 0);
    strcpy(request.repository, "/srv/\n");
    g_assert_cmpuint(walwire_format_request(&request, packet), ==, 0);
}

static void answers_are_read(void)
{
    static const struct {
        const char *packet;
        WalWireAnswer answer;
    } cases[] = {
        { "backstay-wal 1 pong", { .kind = WALWIRE_PONG } },
        { "backstay-wal 1 wait", { .kind = WALWIRE_WAIT } },
        { "backstay-wal 1 done 42 16777216 4711 0",
          { .kind = WALWIRE_DONE, .system_id = 42, .len = 16777216, .stored = 4711 } },
        { "backstay-wal 1 done 42 16777216 0 1",
          { .kind = WALWIRE_DONE, .system_id = 42, .len = 16777216, .was_there = true } },
        { "backstay-wal 1 failed 27 it is there already: \xc3\xbc",
          { .kind = WALWIRE_FAILED, .status = 27, .text = "it is there already: \xc3\xbc" } },
        { "backstay-wal 1 failed 1 ", { .kind = WALWIRE_FAILED, .status = 1 } },
        { "backstay-wal 1 away stopping", { .kind = WALWIRE_AWAY, .text = "stopping" } },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        size_t len = strlen(cases[i].packet);
        WalWireAnswer answer;
        char packet[WALWIRE_MAX];

        g_test_message("%s", cases[i].packet);
        g_assert_true(walwire_parse_answer(cases[i].packet, len, &answer));
        g_assert_cmpmem(&answer, sizeof answer, &cases[i].answer, sizeof answer);
        g_assert_cmpuint(walwire_format_answer(&answer, packet), ==, len);
        g_assert_cmpmem(packet, len, cases[i].packet, len);
    }
}

static void what_is_no_answer_is_refused(void)
{
    static const char *const cases[] = {
        "backstay-wal 1 done",           "backstay-wal 1 done 1 2 3",
        "backstay-wal 1 done 1 2 3 2",   "backstay-wal 1 done 1 2 3 1 ",
        "backstay-wal 1 done 1 2 3 1 4", "backstay-wal 2 done 1 2 3 1",
        "backstay-wal 1 failed 0 fine",  "backstay-wal 1 failed 256 x",
        "backstay-wal 1 failed 1",       "backstay-wal 1 away",
        "backstay-wal 1 wait ",          "backstay-wal 1 ok",
    };
    WalWireAnswer answer;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i]);
        g_assert_false(walwire_parse_answer(cases[i], strlen(cases[i]), &answer));
    }
}

static void long_texts_are_cut_between_characters(void)
{
    WalWireAnswer answer = { .kind = WALWIRE_FAILED, .status = 1 }, again;
    char packet[WALWIRE_MAX];
    size_t len;

    memset(answer.text, 'x', WALWIRE_TEXT_MAX);
    memcpy(answer.text, "a\nb\x7f", 4);
    len = walwire_format_answer(&answer, packet);
    g_assert_true(walwire_parse_answer(packet, len, &again));
    g_assert_cmpuint(strlen(again.text), ==, WALWIRE_TEXT_MAX);
    g_assert_true(g_str_has_prefix(again.text, "a b x"));
    g_assert_true(g_utf8_validate(again.text, -1, NULL));
}

/* ---- the socket ---- */

static void packets_carry_descriptors(void)
{
    char packet[WALWIRE_MAX];
    int pair[2], got[WALWIRE_FDS], sent[WALWIRE_FDS];
    struct stat a, b;
    unsigned n;
    uid_t uid;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), ==, 0);
    sent[0] = open("/dev/null", O_RDONLY);
    sent[1] = open("/", O_RDONLY | O_DIRECTORY);
    g_assert_true(walsocket_send(pair[0], "one", 3, sent, 2));
    g_assert_true(walsocket_send(pair[0], "two", 3, NULL, 0));
    g_assert_cmpint(walsocket_receive(pair[1], packet, got, &n), ==, 3);
    g_assert_cmpmem(packet, 3, "one", 3);
    g_assert_cmpuint(n, ==, 2);
    for (unsigned i = 0; i < n; i++) {
        g_assert_cmpint(fstat(sent[i], &a), ==, 0);
        g_assert_cmpint(fstat(got[i], &b), ==, 0);
        g_assert_cmpuint(a.st_ino, ==, b.st_ino);
        g_assert_cmpint(fcntl(got[i], F_GETFD) & FD_CLOEXEC, !=, 0);
        close(got[i]);
    }
    g_assert_cmpint(walsocket_receive(pair[1], packet, got, &n), ==, 3);
    g_assert_cmpuint(n, ==, 0);
    g_assert_cmpint(walsocket_receive(pair[1], packet, got, &n), ==, -1);
    g_assert_cmpint(errno, ==, EAGAIN);
    g_assert_true(walsocket_peer(pair[1], &uid));
    g_assert_cmpuint(uid, ==, geteuid());
    close(pair[0]);
    g_assert_cmpint(walsocket_receive(pair[1], packet, got, &n), ==, 0);
    close(pair[1]);
    close(sent[0]);
    close(sent[1]);
}

static unsigned n_descriptors(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    unsigned n = 0;

    while (g_dir_read_name(dir))
        n++;
    return n;
}

static void too_much_is_not_kept(void)
{
    static char large[WALWIRE_MAX + 1];
    struct iovec part = { .iov_base = large, .iov_len = 1 };
    char room[CMSG_SPACE(3 * sizeof(int))] = { 0 }, packet[WALWIRE_MAX];
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int pair[2], got[WALWIRE_FDS], three[3] = { 0, 0, 0 };
    unsigned n, before;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), ==, 0);
    before = n_descriptors();
    *header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                                .cmsg_type = SCM_RIGHTS,
                                .cmsg_len = CMSG_LEN(sizeof three) };
    memcpy(CMSG_DATA(header), three, sizeof three);
    g_assert_cmpint(sendmsg(pair[0], &message, 0), ==, 1);
    g_assert_cmpint(walsocket_receive(pair[1], packet, got, &n), ==, -1);
    g_assert_cmpint(errno, ==, EBADMSG);
    g_assert_true(walsocket_send(pair[0], large, sizeof large, three, 2));
    g_assert_cmpint(walsocket_receive(pair[1], packet, got, &n), ==, -1);
    g_assert_cmpint(errno, ==, EBADMSG);
    g_assert_cmpuint(n_descriptors(), ==, before);
    close(pair[0]);
    close(pair[1]);
}

static void addresses_are_bounded(void)
{
    g_autofree char *longest = g_strnfill(107, 'x'), *longer = g_strnfill(108, 'x');
    struct sockaddr_un address;

    g_assert_true(walsocket_address(longest, &address));
    g_assert_cmpstr(address.sun_path, ==, longest);
    g_assert_false(walsocket_address(longer, &address));
    g_assert_false(walsocket_address("", &address));
    g_assert_cmpint(walsocket_connect("/nowhere/at/all"), ==, -1);
    g_assert_cmpint(errno, ==, ENOENT);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walwire/requests-are-read", requests_are_read);
    g_test_add_func("/walwire/what-is-no-request-is-refused", what_is_no_request_is_refused);
    g_test_add_func("/walwire/what-cannot-be-said-is-not-sent", what_cannot_be_said_is_not_sent);
    g_test_add_func("/walwire/answers-are-read", answers_are_read);
    g_test_add_func("/walwire/what-is-no-answer-is-refused", what_is_no_answer_is_refused);
    g_test_add_func("/walwire/long-texts-are-cut-between-characters",
                    long_texts_are_cut_between_characters);
    g_test_add_func("/walwire/packets-carry-descriptors", packets_carry_descriptors);
    g_test_add_func("/walwire/too-much-is-not-kept", too_much_is_not_kept);
    g_test_add_func("/walwire/addresses-are-bounded", addresses_are_bounded);
    return g_test_run();
}
