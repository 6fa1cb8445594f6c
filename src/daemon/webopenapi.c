/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes as OpenAPI 3.1. What is no part of that begins with "x-backstay-". */
#include "daemon/webroute.h"

#include <string.h>

static const ShapeField problem_fields[] = {
    { "type", SHAPE_TEXT, SHAPE_REQUIRED, "a URN whose last word is for programs", .max = 128 },
    { "title", SHAPE_TEXT, SHAPE_REQUIRED, "what the status means" },
    { "status", SHAPE_INT, SHAPE_REQUIRED, "of HTTP", .min = 400, .max = 599 },
    { "detail", SHAPE_TEXT, SHAPE_REQUIRED, "for people" },
    { "code", SHAPE_INT, SHAPE_REQUIRED, "the exit status the command line has for it" },
    { "request", SHAPE_TEXT, SHAPE_REQUIRED, "as in the log" },
    { NULL },
};
static const Shape problem_shape = { "Problem", problem_fields };

static json_t *parameter(const char *in, const ShapeField *field, bool required, json_t *schemas)
{
    json_t *schema = shape_field_schema(field, schemas);
    json_t *made = json_pack("{s:s, s:s, s:b, s:o}", "name", field->name, "in", in, "required",
                             (int)required, "schema", schema);

    if (field->summary)
        json_object_set_new(made, "description", json_string(field->summary));
    return made;
}

static void add_path_parameters(const char *path, json_t *parameters, json_t *schemas)
{
    for (const char *open = strchr(path, '{'); open; open = strchr(open + 1, '{')) {
        g_autofree char *name = g_strndup(open + 1, strcspn(open, "}") - 1);
        const ShapeField field = { name, strcmp(name, "run") == 0 ? SHAPE_ID : SHAPE_TEXT };

        json_array_append_new(parameters, parameter("path", &field, true, schemas));
    }
}

static json_t *parameters_of(const WebRoute *route, json_t *schemas)
{
    static const ShapeField if_match = { "If-Match", SHAPE_TEXT, 0, "the ETag of what is changed" };
    static const ShapeField key = { "Idempotency-Key", SHAPE_TEXT, 0,
                                    "the same one again does nothing again", .max = 128 };
    static const ShapeField csrf = { "X-CSRF-Token", SHAPE_TEXT, 0, "with a session" };
    json_t *parameters = json_array();

    add_path_parameters(route->path, parameters, schemas);
    for (const ShapeField *field = route->query; field && field->name; field++)
        json_array_append_new(parameters,
                              parameter("query", field, field->flags & SHAPE_REQUIRED, schemas));
    if (route->flags & ROUTE_IF_MATCH)
        json_array_append_new(parameters, parameter("header", &if_match, true, schemas));
    if (route->flags & ROUTE_IDEMPOTENT)
        json_array_append_new(parameters, parameter("header", &key, false, schemas));
    if (route->role != ROLE_NONE && strcmp(route->method, "GET") != 0)
        json_array_append_new(parameters, parameter("header", &csrf, false, schemas));
    return parameters;
}

static json_t *content(const char *type, json_t *schema)
{
    return json_pack("{s:{s:o}}", type, "schema", schema);
}

static json_t *responses_of(const WebRoute *route, json_t *schemas)
{
    json_t *responses = json_object(), *good = json_pack("{s:s}", "description", "done");
    g_autofree char *status = g_strdup_printf("%u", route->status);

    if (route->answer)
        json_object_set_new(good, "content",
                            content("application/json", shape_schema(route->answer, schemas)));
    else if (route->type)
        json_object_set_new(good, "content", content(route->type, json_object()));
    json_object_set_new(responses, status, good);
    json_object_set_new(
        responses, "default",
        json_pack("{s:s, s:o}", "description", "it was not done", "content",
                  content("application/problem+json", shape_schema(&problem_shape, schemas))));
    return responses;
}

static json_t *security_of(const WebRoute *route)
{
    json_t *security = json_array();

    if (route->role == ROLE_NONE)
        return security;
    json_array_append_new(security, json_pack("{s:[]}", "session"));
    if (!(route->flags & ROUTE_SESSION))
        json_array_append_new(security, json_pack("{s:[]}", "token"));
    if (route->flags & ROUTE_LOCAL)
        json_array_append_new(security, json_object());
    return security;
}

static json_t *operation(const WebRoute *route, json_t *schemas)
{
    json_t *made =
        json_pack("{s:s, s:s, s:o, s:o, s:o}", "operationId", route->id, "summary", route->summary,
                  "parameters", parameters_of(route, schemas), "responses",
                  responses_of(route, schemas), "security", security_of(route));

    if (route->body)
        json_object_set_new(
            made, "requestBody",
            json_pack("{s:b, s:o}", "required", 1, "content",
                      content("application/json", shape_schema(route->body, schemas))));
    else if (route->flags & ROUTE_UPLOAD)
        json_object_set_new(made, "requestBody",
                            json_pack("{s:b, s:o}", "required", 1, "content",
                                      content("application/octet-stream", json_object())));
    if (route->role != ROLE_NONE)
        json_object_set_new(made, "x-backstay-role", json_string(web_role_name(route->role)));
    if (route->flags & ROUTE_FRESH)
        json_object_set_new(made, "x-backstay-fresh-login", json_true());
    return made;
}

json_t *web_openapi(const WebRoute *routes)
{
    json_t *paths = json_object(), *schemas = json_object();

    for (const WebRoute *route = routes; route->method; route++) {
        g_autofree char *method = g_ascii_strdown(route->method, -1);
        json_t *path = json_object_get(paths, route->path);

        if (!path) {
            path = json_object();
            json_object_set_new(paths, route->path, path);
        }
        json_object_set_new(path, method, operation(route, schemas));
    }
    return json_pack("{s:s, s:{s:s, s:s}, s:o, s:{s:o, s:{s:{s:s, s:s, s:s}, s:{s:s, s:s}}}}",
                     "openapi", "3.1.0", "info", "title", "Backstay", "version", BS_VERSION,
                     "paths", paths, "components", "schemas", schemas, "securitySchemes", "session",
                     "type", "apiKey", "in", "cookie", "name", "backstay", "token", "type", "http",
                     "scheme", "bearer");
}
