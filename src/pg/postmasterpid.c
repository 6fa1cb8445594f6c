/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/postmasterpid.h"
#include "base/error.h"
#include <string.h>

enum { LINE_PID, LINE_DIRECTORY, LINE_STARTED, LINE_PORT, LINE_SOCKETS, LINE_ADDRESS };

void postmaster_pid_clear(PostmasterPid *file)
{
    g_clear_pointer(&file->host, g_free);
}

static char *host_of(const char *sockets, const char *address)
{
    if (*sockets)
        return g_strdup(sockets);
    if (strcmp(address, "*") == 0 || strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0)
        return g_strdup("localhost");
    return *address ? g_strdup(address) : NULL;
}

bool postmaster_pid_parse(const char *text, size_t len, PostmasterPid *ret_file, GError **error)
{
    g_autofree char *copy = g_strndup(text, len);
    g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);
    guint n = g_strv_length(lines);
    gint64 pid;
    guint64 port = 0;

    // a single-user server writes its pid with a minus
    if (n == 0 ||
        !g_ascii_string_to_signed(g_strstrip(lines[LINE_PID]), 10, INT32_MIN, INT32_MAX, &pid,
                                  NULL) ||
        pid == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "it does not begin with a process id");
        return false;
    }
    if (n > LINE_PORT)
        (void)g_ascii_string_to_unsigned(g_strstrip(lines[LINE_PORT]), 10, 1, 65535, &port, NULL);
    *ret_file = (PostmasterPid){ .pid = pid, .port = (unsigned)port };
    if (n > LINE_ADDRESS)
        ret_file->host = host_of(g_strstrip(lines[LINE_SOCKETS]), g_strstrip(lines[LINE_ADDRESS]));
    return true;
}
