/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webroute.h"

#define RUN "0123456789abcdef0123456789abcdef"

static const ShapeField body_fields[] = { { "on", SHAPE_BOOL, SHAPE_REQUIRED }, { NULL } };
static const Shape body = { "Switch", body_fields };
static const WebRoute table[] = {
    { "GET", "/", ROLE_NONE, 0, "root", "the top", NULL, NULL, NULL, 200 },
    { "GET", "/runs", ROLE_VIEWER, 0, "listRuns", "all", NULL, NULL, NULL, 200 },
    { "POST", "/runs", ROLE_OPERATOR, ROUTE_IDEMPOTENT, "startRun", "one", NULL, &body, NULL, 202 },
    { "GET", "/runs/newest", ROLE_VIEWER, 0, "newest", "the newest", NULL, NULL, &body, 200 },
    { "GET", "/runs/{run}", ROLE_VIEWER, 0, "getRun", "one", NULL, NULL, &body, 200 },
    { "DELETE", "/runs/{run}", ROLE_ADMIN, ROUTE_FRESH, "dropRun", "one", NULL, NULL, NULL, 204 },
    { "PUT", "/users/{name}/of/{group}", ROLE_ADMIN, ROUTE_SESSION | ROUTE_IF_MATCH, "putUser",
      "one", NULL, &body, NULL, 204 },
    { NULL },
};

static void requests_find_their_row(void)
{
    static const struct {
        const char *method, *path, *want, *first, *second, *allow;
    } cases[] = {
        { "GET", "/", "root", NULL, NULL, NULL },
        { "HEAD", "/runs", "listRuns", NULL, NULL, NULL },
        { "POST", "/runs", "startRun", NULL, NULL, NULL },
        { "DELETE", "/runs", NULL, NULL, NULL, "GET, HEAD, POST" },
        { "GET", "/runs/newest", "newest", NULL, NULL, NULL },
        { "DELETE", "/runs/newest", NULL, NULL, NULL, "GET, HEAD" },
        { "GET", "/runs/" RUN, "getRun", RUN, NULL, NULL },
        { "DELETE", "/runs/" RUN, "dropRun", RUN, NULL, NULL },
        { "get", "/runs/" RUN, NULL, NULL, NULL, "GET, HEAD, DELETE" },
        { "GET", "/runs/0123", NULL, NULL, NULL, NULL },
        { "GET", "/run", NULL, NULL, NULL, NULL },
        { "GET", "/runss", NULL, NULL, NULL, NULL },
        { "GET", "/runs/" RUN "/x", NULL, NULL, NULL, NULL },
        { "PUT", "/users/a%20b/of/c", "putUser", "a b", "c", NULL },
        { "PUT", "/users/a/of", NULL, NULL, NULL, NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(WebRequest) request = web_request_new(cases[i].method, "::1", false);
        const char *params[WEB_PARAMS_MAX];
        g_autofree char *allow = NULL;
        const WebRoute *route;

        g_test_message("%s %s", cases[i].method, cases[i].path);
        g_assert_true(web_request_split(request, cases[i].path));
        route = web_route_find(table, request, params, &allow);
        g_assert_cmpstr(route ? route->id : NULL, ==, cases[i].want);
        g_assert_cmpstr(allow, ==, cases[i].allow);
        if (route) {
            g_assert_cmpstr(params[0], ==, cases[i].first);
            g_assert_cmpstr(params[1], ==, cases[i].second);
        }
    }
}

static void roles_have_other_names(void)
{
    WebRole role;

    g_assert_true(web_role_parse("BACKUP_MANAGE", &role) && role == ROLE_OPERATOR);
    g_assert_true(web_role_parse("SUPER_ADMIN", &role) && role == ROLE_ADMIN);
    g_assert_true(web_role_parse("viewer", &role) && role == ROLE_VIEWER);
    g_assert_false(web_role_parse("root", &role));
    g_assert_false(web_role_parse("", &role));
    g_assert_cmpstr(web_role_name(ROLE_ADMIN), ==, "admin");
}

static json_t *at(json_t *value, const char *a, const char *b, const char *c)
{
    return json_object_get(json_object_get(json_object_get(value, a), b), c);
}

static void the_description_holds_every_row(void)
{
    json_t *api = web_openapi(table);
    json_t *put = at(api, "paths", "/users/{name}/of/{group}", "put");
    json_t *drop = at(api, "paths", "/runs/{run}", "delete");

    g_assert_cmpstr(shape_text(api, "openapi"), ==, "3.1.0");
    for (const WebRoute *route = table; route->method; route++) {
        g_autofree char *method = g_ascii_strdown(route->method, -1);

        g_assert_cmpstr(shape_text(at(api, "paths", route->path, method), "operationId"), ==,
                        route->id);
    }
    g_assert_cmpuint(json_array_size(json_object_get(put, "parameters")), ==, 4);
    g_assert_cmpuint(json_array_size(json_object_get(put, "security")), ==, 1);
    g_assert_cmpstr(shape_text(drop, "x-backstay-role"), ==, "admin");
    g_assert_true(shape_bool(drop, "x-backstay-fresh-login", false));
    g_assert_nonnull(at(api, "components", "schemas", "Switch"));
    json_decref(api);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/webroute/requests-find-their-row", requests_find_their_row);
    g_test_add_func("/daemon/webroute/roles-have-other-names", roles_have_other_names);
    g_test_add_func("/daemon/webroute/the-description-holds-every-row",
                    the_description_holds_every_row);
    return g_test_run();
}
