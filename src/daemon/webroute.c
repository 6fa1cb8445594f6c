/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webroute.h"

#include "state/runs.h"
#include <string.h>

static const struct {
    const char *name, *elsewhere;
} roles[] = {
    [ROLE_VIEWER] = { "viewer", "viewer" },
    [ROLE_OPERATOR] = { "operator", "BACKUP_MANAGE" },
    [ROLE_ADMIN] = { "admin", "SUPER_ADMIN" },
};

const char *web_role_name(WebRole role)
{
    g_return_val_if_fail((guint)role < G_N_ELEMENTS(roles), NULL);
    return roles[role].name;
}

bool web_role_parse(const char *name, WebRole *ret_role)
{
    for (guint i = ROLE_VIEWER; i < G_N_ELEMENTS(roles); i++) {
        if (strcmp(name, roles[i].name) == 0 || strcmp(name, roles[i].elsewhere) == 0) {
            *ret_role = (WebRole)i;
            return true;
        }
    }
    return false;
}

static bool fits(const char *pattern, char *const *segments, const char *params[WEB_PARAMS_MAX])
{
    guint n = 0;

    memset(params, 0, WEB_PARAMS_MAX * sizeof *params);
    if (!*segments)
        return strcmp(pattern, "/") == 0;
    for (; *pattern == '/' && *segments; segments++) {
        size_t len = strcspn(++pattern, "/");

        if (*pattern == '{') {
            if (strncmp(pattern, "{run}", len) == 0 && !run_id_is_valid(*segments))
                return false;
            g_assert(n < WEB_PARAMS_MAX);
            params[n++] = *segments;
        } else if (strlen(*segments) != len || strncmp(pattern, *segments, len) != 0) {
            return false;
        }
        pattern += len;
    }
    return *pattern == '\0' && !*segments;
}

const WebRoute *web_route_find(const WebRoute *routes, const WebRequest *request,
                               const char *params[WEB_PARAMS_MAX], char **ret_allow)
{
    g_autoptr(GString) allow = g_string_new(NULL);
    const char *known = NULL;

    *ret_allow = NULL;
    for (const WebRoute *route = routes; route->method; route++) {
        // a name stands for what no row before has by itself
        if (known ? strcmp(route->path, known) != 0 : !fits(route->path, request->segments, params))
            continue;
        known = route->path;
        if (strcmp(route->method, request->method) == 0)
            return route;
        g_string_append_printf(allow, "%s%s", allow->len > 0 ? ", " : "", route->method);
        if (strcmp(route->method, "GET") == 0)
            g_string_append(allow, ", HEAD");
    }
    if (known)
        *ret_allow = g_string_free(g_steal_pointer(&allow), FALSE);
    return NULL;
}
