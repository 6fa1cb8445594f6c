/* SPDX-License-Identifier: Apache-2.0 */
#include "base/notify.h"

#include <glib.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"

/* A path, or with @ in front a name without a file (unix(7), "abstract"). */
static bool address_of(const char *name, struct sockaddr_un *address, socklen_t *ret_len)
{
    size_t len = strlen(name);

    if (len < 2 || len >= sizeof address->sun_path || !strchr("/@", name[0]))
        return false;
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(address->sun_path, name, len);
    if (name[0] == '@')
        address->sun_path[0] = '\0';
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

void notify_send(const char *state)
{
    const char *name = g_getenv("NOTIFY_SOCKET");
    fs_autoclose int fd = -1;
    struct sockaddr_un address;
    socklen_t len;

    if (!name || !address_of(name, &address, &len))
        return;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, len);
}

int64_t notify_watchdog_ms(void)
{
    const char *usec = g_getenv("WATCHDOG_USEC"), *pid = g_getenv("WATCHDOG_PID");
    guint64 allowed, whose;

    if (!usec || !g_ascii_string_to_unsigned(usec, 10, 2000, INT64_MAX, &allowed, NULL))
        return 0;
    // set for a process that started us, and handed down: sd_watchdog_enabled(3)
    if (pid && (!g_ascii_string_to_unsigned(pid, 10, 1, INT32_MAX, &whose, NULL) ||
                (pid_t)whose != getpid()))
        return 0;
    return (int64_t)(allowed / 2000);
}
