/* SPDX-License-Identifier: Apache-2.0 */
#include "net/wire.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TICK_MS        200 /* how often a wait looks at cancel */
#define CONNECT_MS     (10 * 1000)
#define STALL_MS       (60 * 1000)
#define TLS_WRITE_MAX  (1u << 20)
#define KEEPALIVE_IDLE 30

struct Wire {
    int fd;
    SSL *ssl;
    char *place;
    int64_t stall_ms;
    const Cancel *cancel;
};

/* ---- waiting ---- */

static void say_silent(const Wire *wire, const char *doing, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE, "%s: %s: no answer in time", wire->place,
                doing);
}

static bool wait_for(const Wire *wire, short events, int64_t until_ms, const char *doing,
                     GError **error)
{
    for (;;) {
        struct pollfd wait = { .fd = wire->fd, .events = events };
        int64_t left = until_ms - clock_monotonic_ms();
        int ready;

        if (!cancel_check(wire->cancel, error))
            return false;
        ready = poll(&wait, 1, (int)CLAMP(left, 0, TICK_MS));
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR) {
            bs_error_errno(error, errno, "%s: %s", wire->place, doing);
            return false;
        }
        if (left <= 0) {
            say_silent(wire, doing, error);
            return false;
        }
    }
}

/* ---- TLS ---- */

static bool wants_file(const char *file, const char *what, int loaded, GError **error)
{
    if (loaded == 1)
        return true;
    ERR_clear_error();
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: no %s in PEM form can be read there", file,
                what);
    return false;
}

static bool load_files(SSL_CTX *context, const WireOptions *options, GError **error)
{
    const char *key = options->key_file ? options->key_file : options->cert_file;

    if (!options->ca_file)
        (void)SSL_CTX_set_default_verify_paths(context);
    else if (!wants_file(options->ca_file, "certificate",
                         SSL_CTX_load_verify_file(context, options->ca_file), error))
        return false;
    if (!options->cert_file)
        return true;
    return wants_file(options->cert_file, "certificate",
                      SSL_CTX_use_certificate_chain_file(context, options->cert_file), error) &&
           wants_file(key, "private key",
                      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM), error);
}

static void set_name(SSL *ssl, const char *name)
{
    // an address is compared with addresses, and is no name to ask for
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
        return;
    g_assert(SSL_set1_host(ssl, name) == 1);
    (void)SSL_set_tlsext_host_name(ssl, name);
}

static bool make_tls(Wire *wire, const WireOptions *options, GError **error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    g_assert(context && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_mode(context,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (load_files(context, options, error)) {
        wire->ssl = SSL_new(context);
        g_assert(wire->ssl && SSL_set_fd(wire->ssl, wire->fd) == 1);
        set_name(wire->ssl, options->server_name ? options->server_name : options->host);
    }
    SSL_CTX_free(context); // the connection holds it
    return wire->ssl != NULL;
}

static void say_tls(const Wire *wire, const char *doing, int saved_errno, GError **error)
{
    long verdict = SSL_get_verify_result(wire->ssl);
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    bool other_name =
        verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;

    if (verdict != X509_V_OK)
        g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                    "%s: its certificate is not to be trusted: %s; %s", wire->place,
                    X509_verify_cert_error_string(verdict),
                    other_name ? "it is for another name" : "name the authority that signed it");
    else
        g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE, "%s: %s: TLS: %s", wire->place, doing,
                    reason        ? reason
                    : saved_errno ? g_strerror(saved_errno)
                                  : "the connection ended");
    ERR_clear_error();
}

/* True: try again. */
static bool tls_again(const Wire *wire, int result, int64_t until_ms, const char *doing,
                      GError **error)
{
    int saved_errno = errno;
    int what = SSL_get_error(wire->ssl, result);

    if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE)
        return wait_for(wire, what == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until_ms, doing,
                        error);
    say_tls(wire, doing, what == SSL_ERROR_SYSCALL ? saved_errno : 0, error);
    return false;
}

static bool shake_hands(const Wire *wire, int64_t until_ms, GError **error)
{
    for (;;) {
        int result;

        ERR_clear_error();
        errno = 0;
        result = SSL_connect(wire->ssl);
        if (result == 1)
            return true;
        if (!tls_again(wire, result, until_ms, "connect", error))
            return false;
    }
}

/* ---- connecting ---- */

static bool finish_connect(const Wire *wire, int64_t until_ms, GError **error)
{
    int problem = 0;
    socklen_t len = sizeof problem;

    if (!wait_for(wire, POLLOUT, until_ms, "connect", error))
        return false;
    if (getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &problem, &len) != 0)
        problem = errno;
    if (problem == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE, "%s: connect: %s", wire->place,
                g_strerror(problem));
    return false;
}

static bool connect_to(Wire *wire, int family, const struct sockaddr *address, socklen_t len,
                       int64_t until_ms, GError **error)
{
    int errnum;

    wire->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (wire->fd >= 0 && connect(wire->fd, address, len) == 0)
        return true;
    if (wire->fd >= 0 && errno == EINPROGRESS)
        return finish_connect(wire, until_ms, error);
    errnum = errno;
    g_set_error(error, BS_ERROR,
                errnum == EACCES || errnum == EPERM ? BS_ERROR_DENIED : BS_ERROR_UNREACHABLE,
                "%s: connect: %s", wire->place, g_strerror(errnum));
    return false;
}

static bool connect_path(Wire *wire, const char *path, int64_t until_ms, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof address.sun_path) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: too long for the path of a socket", path);
        return false;
    }
    memcpy(address.sun_path, path, strlen(path));
    return connect_to(wire, AF_UNIX, (const struct sockaddr *)&address, sizeof address, until_ms,
                      error);
}

/* Small questions go out at once, and a line that is dead is noticed. */
static void set_tcp(int fd)
{
    int on = 1, idle = KEEPALIVE_IDLE;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
}

static bool connect_host(Wire *wire, const WireOptions *options, int64_t until_ms, GError **error)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    g_autofree char *port = g_strdup_printf("%u", options->port);
    int result = getaddrinfo(options->host, port, &hints, &found);
    bool ok = false;

    if (result != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE, "%s: %s", wire->place,
                    gai_strerror(result));
        return false;
    }
    for (const struct addrinfo *one = found; one && !ok; one = one->ai_next) {
        int64_t now = clock_monotonic_ms();
        // a silent address leaves half of the time to those after it
        int64_t until = one->ai_next ? now + (until_ms - now) / 2 : until_ms;

        g_clear_error(error);
        fs_clear_fd(&wire->fd);
        ok = connect_to(wire, one->ai_family, one->ai_addr, one->ai_addrlen, until, error);
        if (!ok && cancel_is_set(wire->cancel))
            break;
    }
    freeaddrinfo(found);
    if (ok)
        set_tcp(wire->fd);
    return ok;
}

static char *describe_place(const WireOptions *options)
{
    if (options->path)
        return g_strdup(options->path);
    return g_strdup_printf(strchr(options->host, ':') ? "[%s]:%u" : "%s:%u", options->host,
                           options->port);
}

Wire *wire_open(const WireOptions *options, GError **error)
{
    g_autoptr(Wire) wire = g_new0(Wire, 1);
    int64_t until_ms =
        clock_monotonic_ms() + (options->connect_ms ? options->connect_ms : CONNECT_MS);
    g_autoptr(GError) failure = NULL;
    bool ok;

    wire->fd = -1;
    wire->place = describe_place(options);
    wire->stall_ms = options->stall_ms ? options->stall_ms : STALL_MS;
    wire->cancel = options->cancel;
    ok = options->path ? connect_path(wire, options->path, until_ms, &failure)
                       : connect_host(wire, options, until_ms, &failure);
    if (ok && options->tls)
        ok = make_tls(wire, options, &failure) && shake_hands(wire, until_ms, &failure);
    if (ok)
        return g_steal_pointer(&wire);
    g_propagate_error(error, g_steal_pointer(&failure));
    return NULL;
}

void wire_free(Wire *wire)
{
    if (!wire)
        return;
    if (wire->ssl && SSL_is_init_finished(wire->ssl))
        (void)SSL_shutdown(wire->ssl); // says so, does not wait for an answer
    ERR_clear_error();
    SSL_free(wire->ssl);
    fs_clear_fd(&wire->fd);
    g_free(wire->place);
    g_free(wire);
}

const char *wire_place(const Wire *wire)
{
    return wire->place;
}

/* ---- bytes ---- */

static void say_lost(const Wire *wire, const char *doing, int errnum, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE, "%s: %s: %s", wire->place, doing,
                g_strerror(errnum));
}

static ssize_t read_tls(const Wire *wire, void *buf, size_t len, GError **error)
{
    int64_t until_ms = clock_monotonic_ms() + wire->stall_ms;

    for (;;) {
        int n;

        ERR_clear_error();
        errno = 0;
        n = SSL_read(wire->ssl, buf, (int)MIN(len, G_MAXINT));
        if (n > 0)
            return n;
        if (SSL_get_error(wire->ssl, n) == SSL_ERROR_ZERO_RETURN)
            return 0;
        if (!tls_again(wire, n, until_ms, "read", error))
            return -1;
    }
}

ssize_t wire_read(Wire *wire, void *buf, size_t len, GError **error)
{
    int64_t until_ms;

    if (!cancel_check(wire->cancel, error))
        return -1;
    if (wire->ssl)
        return read_tls(wire, buf, len, error);
    until_ms = clock_monotonic_ms() + wire->stall_ms;
    for (;;) {
        ssize_t n = recv(wire->fd, buf, len, 0);

        if (n >= 0)
            return n;
        if (errno != EINTR && errno != EAGAIN) {
            say_lost(wire, "read", errno, error);
            return -1;
        }
        if (!wait_for(wire, POLLIN, until_ms, "read", error))
            return -1;
    }
}

static ssize_t write_some(const Wire *wire, const char *data, size_t len, GError **error)
{
    int64_t until_ms = clock_monotonic_ms() + wire->stall_ms;

    for (;;) {
        ssize_t n;

        if (wire->ssl) {
            ERR_clear_error();
            errno = 0;
            n = SSL_write(wire->ssl, data, (int)MIN(len, TLS_WRITE_MAX));
            if (n > 0)
                return n;
            if (!tls_again(wire, (int)n, until_ms, "write", error))
                return -1;
            continue;
        }
        n = send(wire->fd, data, len, MSG_NOSIGNAL);
        if (n >= 0)
            return n;
        if (errno != EINTR && errno != EAGAIN) {
            say_lost(wire, "write", errno, error);
            return -1;
        }
        if (!wait_for(wire, POLLOUT, until_ms, "write", error))
            return -1;
    }
}

bool wire_write(Wire *wire, const void *data, size_t len, GError **error)
{
    const char *bytes = data;

    while (len > 0) {
        ssize_t n = cancel_check(wire->cancel, error) ? write_some(wire, bytes, len, error) : -1;

        if (n < 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}
