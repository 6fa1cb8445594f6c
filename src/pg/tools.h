/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL's own programs, in the version that fits: pg_dump refuses a server newer than itself,
 * pg_restore an archive newer than itself, and a much newer pg_restore writes settings that an
 * older server does not know. So the smallest version that is not too old is taken. Looked for in
 * BACKSTAY_PG_BIN (directories, colons between), /usr/lib/postgresql/<version>/bin and PATH.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef struct {
    char *path;
    char *version_text; /* "15.20" */
    int version;        /* as a server version number: 150020 */
} PgTool;

/* name: "pg_dump". min_version: a server version number; only its major part counts.
 * BS_ERROR_VERSION: names what is needed, what was found, and the package to install. */
PgTool *pg_tool_find(const char *name, int min_version, GError **error);
void pg_tool_free(PgTool *tool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgTool, pg_tool_free)

/* Whether a server takes what pg_restore of that version sends it, or the script that it makes. */
bool pg_tool_restores_to(int tool_version, int server_version);

/* 150020 -> "15", 90624 -> "9.6" */
char *pg_major_text(int version);
/* A number that is equal for equal majors and grows with them. */
int pg_major(int version);
/* From "15.20 (Debian 15.20-0+deb12u1)", "9.6.24", "17beta1", "18devel"; 0: not a version. */
int pg_version_parse(const char *text);
