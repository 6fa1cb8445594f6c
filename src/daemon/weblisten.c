/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/weblisten.h"

#include "base/error.h"
#include "base/fs.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} Address;

static bool split(const char *where, char **ret_host, uint16_t *ret_port)
{
    const char *colon = strrchr(where, ':');
    guint64 port;

    if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 0, UINT16_MAX, &port, NULL))
        return false;
    if (*where == '[' && colon[-1] == ']')
        *ret_host = g_strndup(where + 1, (gsize)(colon - where) - 2);
    else
        *ret_host = g_strndup(where, (gsize)(colon - where));
    *ret_port = (uint16_t)port;
    return true;
}

static bool parse(const char *where, Address *ret_address, GError **error)
{
    g_autofree char *host = NULL;
    Address address = { 0 };
    uint16_t port = 0;

    if (split(where, &host, &port)) {
        const char *numbers = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;

        if (inet_pton(AF_INET, numbers, &address.v4.sin_addr) == 1) {
            address.v4.sin_family = AF_INET;
            address.v4.sin_port = htons(port);
            *ret_address = address;
            return true;
        }
        if (inet_pton(AF_INET6, numbers, &address.v6.sin6_addr) == 1) {
            address.v6.sin6_family = AF_INET6;
            address.v6.sin6_port = htons(port);
            *ret_address = address;
            return true;
        }
    }
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                "server.listen: '%s' is no address with a port such as 127.0.0.1:9898", where);
    return false;
}

static bool is_loopback(const Address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

static uint16_t bound_port(int fd)
{
    Address address = { 0 };
    socklen_t len = sizeof address;

    if (getsockname(fd, &address.any, &len) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}

int web_listen(const char *where, bool beyond, unsigned backlog, unsigned *ret_port, GError **error)
{
    fs_autoclose int fd = -1;
    Address address;
    socklen_t len;
    int on = 1, taken;

    if (!parse(where, &address, error))
        return -1;
    if (!beyond && !is_loopback(&address)) {
        g_set_error(
            error, BS_ERROR, BS_ERROR_CONFIG,
            "server.listen: others reach %s, and there is no TLS; set server.tls.certificate "
            "and server.tls.key, or listen on 127.0.0.1 behind a proxy",
            where);
        return -1;
    }
    len = address.any.sa_family == AF_INET ? sizeof address.v4 : sizeof address.v6;
    fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // a port that was ours a moment ago still has connections that end
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, &address.any, len) != 0 || listen(fd, (int)backlog) != 0) {
        if (errno == EADDRINUSE)
            g_set_error(error, BS_ERROR, BS_ERROR_EXISTS,
                        "server.listen: another program listens on %s", where);
        else
            bs_error_errno(error, errno, "listen on %s", where);
        return -1;
    }
    *ret_port = bound_port(fd);
    taken = fd;
    fd = -1;
    return taken;
}
