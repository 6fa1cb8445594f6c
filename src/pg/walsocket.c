/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walsocket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool walsocket_address(const char *path, struct sockaddr_un *ret_address)
{
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof ret_address->sun_path)
        return false;
    *ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(ret_address->sun_path, path, len);
    return true;
}

int walsocket_connect(const char *path)
{
    struct sockaddr_un address;
    int fd, errnum;

    if (!walsocket_address(path, &address)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    errnum = errno;
    (void)close(fd);
    errno = errnum;
    return -1;
}

bool walsocket_peer(int fd, uid_t *ret_uid)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return false;
    *ret_uid = peer.uid;
    return true;
}

/* Room for descriptors as recvmsg(2) and sendmsg(2) want it; cmsg(3). */
typedef union {
    char room[CMSG_SPACE(WALWIRE_FDS * sizeof(int))];
    struct cmsghdr align;
} Control;

bool walsocket_send(int fd, const char *packet, size_t len, const int *fds, unsigned n_fds)
{
    struct iovec part = { .iov_base = (void *)packet, .iov_len = len };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    Control control = { 0 };
    ssize_t n;

    if (n_fds > WALWIRE_FDS) {
        errno = EINVAL;
        return false;
    }
    if (n_fds > 0) {
        struct cmsghdr *header;

        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
    }
    do
        n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n >= 0 && (size_t)n != len)
        errno = EPROTO; // packets go whole
    return n >= 0 && (size_t)n == len;
}

/* Takes the descriptors out, which are ours from now on, whatever becomes of the packet. */
static unsigned take_descriptors(struct msghdr *message, int fds[WALWIRE_FDS])
{
    unsigned n = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR(message, header)) {
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count && n < WALWIRE_FDS; i++)
            memcpy(&fds[n++], CMSG_DATA(header) + i * sizeof(int), sizeof(int));
    }
    return n;
}

ssize_t walsocket_receive(int fd, char packet[WALWIRE_MAX], int fds[WALWIRE_FDS], unsigned *ret_n)
{
    struct iovec part = { .iov_base = packet, .iov_len = WALWIRE_MAX };
    Control control = { 0 };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.room,
                              .msg_controllen = sizeof control.room };
    unsigned n_fds;
    ssize_t n;

    do
        n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -1;
    n_fds = take_descriptors(&message, fds);
    if (n > 0 && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
        *ret_n = n_fds;
        return n;
    }
    while (n_fds > 0)
        (void)close(fds[--n_fds]);
    errno = EBADMSG;
    return n > 0 ? -1 : 0;
}
