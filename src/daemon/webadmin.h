/* SPDX-License-Identifier: Apache-2.0 */
/* What there is besides schedules and runs: sources, repositories, channels, settings, audit. */
#pragma once
#include "daemon/webcall.h"

extern const Shape sources_shape, repositories_shape, channels_shape, audit_page_shape,
    settings_shape, settings_body, alive_shape, tested_shape;
extern const ShapeField audit_query[];

bool web_list_sources(WebCall *call, WebAnswer *answer, GError **error);
bool web_list_repositories(WebCall *call, WebAnswer *answer, GError **error);
bool web_list_channels(WebCall *call, WebAnswer *answer, GError **error);
bool web_test_channel(WebCall *call, WebAnswer *answer, GError **error);
bool web_list_audit(WebCall *call, WebAnswer *answer, GError **error);

/* What the settings of the API say of logins. */
#define SESSION_HOURS        12
#define SESSION_IDLE_MINUTES 60
typedef struct {
    int64_t whole_ms, idle_ms;
} WebSettings;
bool web_settings(WebCall *call, WebSettings *ret_settings, GError **error);
bool web_get_settings(WebCall *call, WebAnswer *answer, GError **error);
bool web_put_settings(WebCall *call, WebAnswer *answer, GError **error);

bool web_livez(WebCall *call, WebAnswer *answer, GError **error);
bool web_readyz(WebCall *call, WebAnswer *answer, GError **error);
bool web_get_openapi(WebCall *call, WebAnswer *answer, GError **error);
