/* SPDX-License-Identifier: Apache-2.0 */
/* The table; rows of one path stand together, and a path without a name in braces before one with.
 */
#include "daemon/webroutes.h"

#include "daemon/webadmin.h"
#include "daemon/webdownload.h"
#include "daemon/webhub.h"
#include "daemon/weblogin.h"
#include "daemon/webmetrics.h"
#include "daemon/webrestore.h"
#include "daemon/webruns.h"
#include "daemon/webschedules.h"
#include "daemon/webupload.h"
#include "daemon/webusers.h"

#define GET         "GET"
#define POST        "POST"
#define PUT         "PUT"
#define PATCH       "PATCH"
#define DELETE      "DELETE"
#define ADMIN       "/api/admin"
#define BACKUPS     ADMIN "/backups"
#define SCHEDULE    BACKUPS "/schedules/{schedule}"
#define CHANGE_USER (ROUTE_SESSION | ROUTE_FRESH)

const WebRoute web_routes[] = {
    { GET, "/livez", ROLE_NONE, 0, "livez", "is the process alive", NULL, NULL, &alive_shape, 200,
      NULL, web_livez },
    { GET, "/readyz", ROLE_NONE, 0, "readyz", "do catalogue and scheduler answer", NULL, NULL,
      &alive_shape, 200, NULL, web_readyz },
    { GET, "/metrics", ROLE_VIEWER, ROUTE_LOCAL | ROUTE_STREAM, "getMetrics",
      "for Prometheus; from this machine without a login", NULL, NULL, NULL, 200, "text/plain",
      web_metrics },
    { GET, "/api/openapi.json", ROLE_NONE, ROUTE_STREAM, "getDescription", "this description", NULL,
      NULL, NULL, 200, "application/json", web_get_openapi },

    { POST, "/api/setup", ROLE_NONE, 0, "setup", "make the first administrator", NULL, &setup_body,
      &session_shape, 200, NULL, web_setup },
    { POST, "/api/login", ROLE_NONE, 0, "login", "begin a session", NULL, &login_body,
      &session_shape, 200, NULL, web_login },
    { POST, "/api/logout", ROLE_VIEWER, ROUTE_SESSION, "logout", "end this session", NULL, NULL,
      NULL, 204, NULL, web_logout },
    { GET, "/api/session", ROLE_VIEWER, 0, "getSession", "who asks", NULL, NULL, &session_shape,
      200, NULL, web_get_session },
    { POST, "/api/session/confirm", ROLE_VIEWER, ROUTE_SESSION, "confirmSession",
      "give the password again, for what needs a fresh login", NULL, &confirm_body, &session_shape,
      200, NULL, web_confirm },
    { PUT, "/api/password", ROLE_VIEWER, ROUTE_SESSION, "changePassword",
      "one's own; ends all other sessions", NULL, &password_body, &session_shape, 200, NULL,
      web_change_password },

    { GET, ADMIN "/runs", ROLE_VIEWER, 0, "listRuns", "newest first", runs_query, NULL, &runs_shape,
      200, NULL, web_list_runs },
    { GET, ADMIN "/runs/{run}", ROLE_VIEWER, 0, "getRun", "one run with what it told", NULL, NULL,
      &run_shape, 200, NULL, web_get_run },
    { GET, ADMIN "/runs/{run}/log", ROLE_VIEWER, ROUTE_STREAM, "getRunLog",
      "its events, a line each", log_query, NULL, NULL, 200, "application/x-ndjson", web_run_log },
    { POST, ADMIN "/runs/{run}/cancel", ROLE_OPERATOR, 0, "cancelRun", "ask it to stop", NULL, NULL,
      NULL, 202, NULL, web_cancel_run },

    { GET, BACKUPS, ROLE_VIEWER, 0, "listBackups", "runs that left a backup, newest first",
      runs_query, NULL, &runs_shape, 200, NULL, web_list_backups },
    { POST, BACKUPS, ROLE_OPERATOR, ROUTE_IDEMPOTENT, "createBackup", "run a schedule now", NULL,
      &backup_body, &started_shape, 202, NULL, web_create_backup },
    { POST, BACKUPS "/upload", ROLE_OPERATOR, ROUTE_UPLOAD | ROUTE_IDEMPOTENT, "uploadBackup",
      "take in a file, and import it", import_query, NULL, &started_shape, 202, NULL, web_upload },
    { GET, BACKUPS "/schedules", ROLE_VIEWER, 0, "listSchedules", "all, with their next times",
      NULL, NULL, &schedules_shape, 200, NULL, web_list_schedules },
    { POST, BACKUPS "/schedules", ROLE_OPERATOR, 0, "createSchedule", "a new one", NULL,
      &schedule_body, &schedule_shape, 201, NULL, web_create_schedule },
    { GET, SCHEDULE, ROLE_VIEWER, 0, "getSchedule", "one schedule", NULL, NULL, &schedule_shape,
      200, NULL, web_get_schedule },
    { PUT, SCHEDULE, ROLE_OPERATOR, ROUTE_IF_MATCH, "updateSchedule", "change one", NULL,
      &schedule_body, &schedule_shape, 200, NULL, web_update_schedule },
    { DELETE, SCHEDULE, ROLE_OPERATOR, ROUTE_IF_MATCH, "deleteSchedule", "its history stays", NULL,
      NULL, NULL, 204, NULL, web_delete_schedule },
    { PATCH, SCHEDULE "/toggle", ROLE_OPERATOR, 0, "toggleSchedule",
      "switch on or off, pause, or end a pause", NULL, &toggle_body, &schedule_shape, 200, NULL,
      web_toggle_schedule },
    { POST, SCHEDULE "/run", ROLE_OPERATOR, ROUTE_IDEMPOTENT, "runSchedule", "run it now", NULL,
      NULL, &started_shape, 202, NULL, web_run_schedule },
    { GET, BACKUPS "/settings", ROLE_VIEWER, 0, "getSettings", "settings", NULL, NULL,
      &settings_shape, 200, NULL, web_get_settings },
    { PUT, BACKUPS "/settings", ROLE_ADMIN, ROUTE_IF_MATCH, "putSettings", "replace them", NULL,
      &settings_body, &settings_shape, 200, NULL, web_put_settings },
    { GET, BACKUPS "/restore/status", ROLE_VIEWER, 0, "listRestores", "the newest restores", NULL,
      NULL, &restore_statuses_shape, 200, NULL, web_restore_statuses },
    { GET, BACKUPS "/{run}", ROLE_VIEWER, 0, "getBackup", "one backup and its snapshots", NULL,
      NULL, &run_shape, 200, NULL, web_get_backup },
    { DELETE, BACKUPS "/{run}", ROLE_OPERATOR, ROUTE_FRESH | ROUTE_IDEMPOTENT, "deleteBackup",
      "remove its snapshots; the newest good and the newest proven one only by force", delete_query,
      NULL, &started_shape, 202, NULL, web_delete_backup },

    { GET, BACKUPS "/{run}/download", ROLE_OPERATOR, ROUTE_STREAM, "downloadBackup",
      "a file of it, also in ranges, all of it as tar, or a portable file of it", download_query,
      NULL, NULL, 200, "application/octet-stream", web_download },
    { GET, BACKUPS "/{run}/manifest", ROLE_VIEWER, ROUTE_STREAM, "getManifest",
      "what was recorded when it was taken", manifest_query, NULL, NULL, 200, "application/json",
      web_manifest },
    { POST, BACKUPS "/{run}/restore/preview", ROLE_OPERATOR, 0, "previewRestore",
      "what a restore would do, and what stands in its way", NULL, &restore_body, &preview_shape,
      200, NULL, web_preview_restore },
    { GET, BACKUPS "/{run}/restore/status", ROLE_VIEWER, 0, "getRestore",
      "the newest restore of this backup", NULL, NULL, &restore_status_shape, 200, NULL,
      web_restore_status },
    { POST, BACKUPS "/{run}/restore", ROLE_OPERATOR, ROUTE_IDEMPOTENT, "restoreBackup",
      "restore it; over what exists only after a fresh login", NULL, &restore_body, &started_shape,
      202, NULL, web_restore },

    { GET, ADMIN "/drills", ROLE_VIEWER, 0, "listDrills", "restores that prove, newest first",
      runs_query, NULL, &runs_shape, 200, NULL, web_list_drills },
    { GET, ADMIN "/drills/{run}", ROLE_VIEWER, 0, "getDrill", "one of them", NULL, NULL, &run_shape,
      200, NULL, web_get_drill },

    { GET, ADMIN "/sources", ROLE_VIEWER, 0, "listSources", "of the configuration file", NULL, NULL,
      &sources_shape, 200, NULL, web_list_sources },
    { GET, ADMIN "/repositories", ROLE_VIEWER, 0, "listRepositories", "of the configuration file",
      NULL, NULL, &repositories_shape, 200, NULL, web_list_repositories },
    { GET, ADMIN "/notifications", ROLE_VIEWER, 0, "listChannels", "of the configuration file",
      NULL, NULL, &channels_shape, 200, NULL, web_list_channels },
    { POST, ADMIN "/notifications/{channel}/test", ROLE_OPERATOR, 0, "testChannel",
      "send a message by its queue", NULL, NULL, &tested_shape, 200, NULL, web_test_channel },
    { GET, ADMIN "/audit", ROLE_ADMIN, 0, "listAudit", "who did what, newest first", audit_query,
      NULL, &audit_page_shape, 200, NULL, web_list_audit },
    { GET, ADMIN "/events", ROLE_VIEWER, ROUTE_STREAM, "events", "what happens, as it happens",
      NULL, NULL, NULL, 200, "text/event-stream", web_events },

    { GET, ADMIN "/users", ROLE_ADMIN, 0, "listUsers", "all", NULL, NULL, &users_shape, 200, NULL,
      web_list_users },
    { POST, ADMIN "/users", ROLE_ADMIN, CHANGE_USER, "createUser", "a new one", NULL, &user_body,
      &user_shape, 201, NULL, web_create_user },
    { PUT, ADMIN "/users/{user}", ROLE_ADMIN, CHANGE_USER | ROUTE_IF_MATCH, "updateUser",
      "role, password, whether he may log in; ends his sessions", NULL, &user_change_body,
      &user_shape, 200, NULL, web_update_user },
    { DELETE, ADMIN "/users/{user}", ROLE_ADMIN, CHANGE_USER | ROUTE_IF_MATCH, "deleteUser",
      "with his sessions and tokens", NULL, NULL, NULL, 204, NULL, web_delete_user },
    { GET, ADMIN "/tokens", ROLE_VIEWER, 0, "listTokens", "one's own; an administrator: all", NULL,
      NULL, &tokens_shape, 200, NULL, web_list_tokens },
    { POST, ADMIN "/tokens", ROLE_VIEWER, CHANGE_USER, "createToken", "a new one", NULL,
      &token_body, &new_token_shape, 201, NULL, web_create_token },
    { DELETE, ADMIN "/tokens/{token}", ROLE_VIEWER, ROUTE_SESSION, "deleteToken", "revoke one",
      NULL, NULL, NULL, 204, NULL, web_delete_token },
    { NULL },
};
