/* SPDX-License-Identifier: Apache-2.0 */
/* What commands print: JSON in restic's shapes, sizes and times for people, errors, progress. Any
 * thread may print; a line goes out whole. Texts that come back are to be freed, JSON is the
 * caller's reference. */
#pragma once
#include "config/settings.h"
#include "flow/progress.h"
#include "repo/snapshot.h"
#include <jansson.h>
#include <stdio.h>

/* One object on one line; takes the reference. */
void output_json(json_t *object);
/* A line of many on stdout. False with BS_ERROR_CANCELLED when nobody takes it any more. */
bool output_line(const GString *line, GError **error);
/* "error: ..." on stderr, or restic's {"message_type":"exit_error",...} with --json. */
void output_error(const Settings *settings, const GError *error);
/* What was left out: on stderr, or on stdout as restic's {"message_type":"error",...} with --json.
 * during: "archival", "restore". */
void output_problem(const Settings *settings, const char *during, const char *item,
                    const GError *problem);
/* Flushes stdout. False, and said on stderr, when what was written did not arrive (full disk,
 * closed pipe). */
bool output_close(bool tell);

char *output_time(Timestamp time);     /* local, "2006-01-02 15:04:05" */
char *output_duration(double seconds); /* "1:02", "1:00:05" */
json_t *json_bytes(const char *text);  /* a string; bytes that are not UTF-8 become U+FFFD */
json_t *json_strv(char *const *list);
json_t *json_time(Timestamp time); /* RFC 3339 */
json_t *
json_snapshot(const Snapshot *snapshot); /* as `snapshots --json` has it, with id and short_id */

/* A line that is redrawn on a terminal, or "status" objects with --json, twice a second in a thread
 * of its own; nothing with --quiet or off a terminal. Takes NULL progress. */
typedef struct ProgressLine ProgressLine;
ProgressLine *progress_line_start(const Settings *settings, Progress *progress);
void progress_line_stop(ProgressLine *line); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ProgressLine, progress_line_stop)
/* True when somebody will see it, so that an estimate is worth its walk. */
bool progress_line_wanted(const Settings *settings);

/* The counters of one operation and the line that shows them; hidden before its result is told. */
typedef struct {
    Progress counters;
    ProgressLine *line;
} ShownProgress;

/* What the operation is to count in: NULL when nobody will see it, or wanted is false. */
Progress *progress_show(ShownProgress *shown, const Settings *settings, bool wanted);
void progress_hide(ShownProgress *shown);
