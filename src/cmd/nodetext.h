/* SPDX-License-Identifier: Apache-2.0 */
/* An entry of a snapshot in text: lines for people, JSON in restic's shapes (written here and not
 * by jansson: inodes and devices use all 64 bits). */
#pragma once
#include "codec/tree.h"

/* "drwxr-xr-x", as restic's "permissions": Go's letters, not ls's. */
void node_permissions(const Node *node, char out[16]);

/* A name as it is, or for a terminal without what could command it. */
void node_append_name(GString *line, const char *name, bool for_terminal);

/* Replaces *line: the path, with is_long the line of `ls -l`. */
void node_line(GString *line, const char *path, const Node *node, bool is_long, bool human,
               bool for_terminal);
/* Replaces *json: one object, as `ls --json` has it. */
void node_json(GString *json, const char *path, const Node *node);
/* As `find --json` has it among its matches. */
void node_match_json(GString *json, const char *path, const Node *node);
