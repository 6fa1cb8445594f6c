/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be asked for, as rows of a table: from the same row a request is let in, its body and
 * its parameters are checked, and the description is printed. What is in no row does not exist.
 */
#pragma once
#include "daemon/webanswer.h"
#include "daemon/webrequest.h"
#include "daemon/webshape.h"
#include <glib.h>
#include <stdbool.h>

/* Each may do what those before it may. */
typedef enum { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN } WebRole;
const char *web_role_name(WebRole role); /* "operator"; constant; NULL for none */
/* Also the names that others use for them: BACKUP_MANAGE, SUPER_ADMIN. False: no such role. */
bool web_role_parse(const char *name, WebRole *ret_role);

enum {
    ROUTE_FRESH = 1 << 0,      /* the password was given within the last minutes */
    ROUTE_IDEMPOTENT = 1 << 1, /* takes an Idempotency-Key */
    ROUTE_IF_MATCH = 1 << 2,   /* wants If-Match */
    ROUTE_SESSION = 1 << 3,    /* for people: no API token */
    ROUTE_LOCAL = 1 << 4,      /* who asks from this machine needs no login */
    ROUTE_STREAM = 1 << 5,     /* the answer is no JSON, or comes bit by bit */
    ROUTE_UPLOAD = 1 << 6,     /* the body is a file: handle() is called in each of its phases */
};

typedef struct WebCall WebCall; /* daemon/webcall.h */

typedef struct {
    const char *method, *path; /* "/api/admin/runs/{run}"; {run} fits ids alone */
    WebRole role;              /* NONE: anybody */
    unsigned flags;
    const char *id, *summary; /* of the description: "listRuns" */
    const ShapeField *query;  /* what may stand in the query; NULL: nothing */
    const Shape *body;        /* NULL: none */
    const Shape *answer;      /* NULL: none, or no JSON */
    unsigned status;          /* of success */
    const char *type;         /* of an answer that is no JSON */
    bool (*handle)(WebCall *call, WebAnswer *answer, GError **error);
} WebRoute;

#define WEB_PARAMS_MAX 3u

/* The row for a request, of a table that ends with one without a method. params: what stood for the
 * names in braces, borrowed from the request. NULL: none; then *ret_allow is a list of methods that
 * the path knows, or NULL. */
const WebRoute *web_route_find(const WebRoute *routes, const WebRequest *request,
                               const char *params[WEB_PARAMS_MAX], char **ret_allow);

/* The table as OpenAPI 3.1. */
json_t *web_openapi(const WebRoute *routes);
