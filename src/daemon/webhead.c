/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webhead.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static char *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[INET6_ADDRSTRLEN] = "";

    if (info && info->client_addr->sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &((struct sockaddr_in *)info->client_addr)->sin_addr, text,
                        sizeof text);
    else if (info && info->client_addr->sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &((struct sockaddr_in6 *)info->client_addr)->sin6_addr, text,
                        sizeof text);
    return g_strdup(text);
}

static enum MHD_Result take_header(void *user, G_GNUC_UNUSED enum MHD_ValueKind kind,
                                   const char *name, const char *value)
{
    web_request_add_header(user, name, value);
    return MHD_YES;
}

static enum MHD_Result take_query(void *user, G_GNUC_UNUSED enum MHD_ValueKind kind,
                                  const char *name, const char *value)
{
    return web_request_add_query(user, name, value) ? MHD_YES : MHD_NO;
}

size_t web_head_leave_escaped(G_GNUC_UNUSED void *user, G_GNUC_UNUSED struct MHD_Connection *of,
                              char *text)
{
    return strlen(text);
}

WebRequest *web_head_begin(struct MHD_Connection *connection, const char *method, bool secure)
{
    g_autofree char *peer = peer_of(connection);

    return web_request_new(method, peer, secure);
}

void web_head_read(struct MHD_Connection *connection, const char *path, WebRequest *request)
{
    (void)web_request_split(request, path);
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, request);
    (void)MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_query, request);
}
