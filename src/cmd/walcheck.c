/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walcheck.h"

#include "base/error.h"
#include "cmd/output.h"
#include "cmd/wal.h"
#include "pg/walname.h"

static json_t *json_problem(const WalProblem *problem)
{
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, problem->system_id);
    json_t *object = json_pack("{s:s, s:s, s:s, s:i, s:o}", "message_type", "wal_problem", "code",
                               problem->code, "system_identifier", id, "timeline",
                               (int)problem->timeline, "message", json_bytes(problem->message));

    if (problem->snapshot)
        json_object_set_new(object, "snapshot", json_string(id_hex(problem->snapshot).text));
    if (problem->first) {
        json_object_set_new(object, "first", json_string(problem->first));
        json_object_set_new(object, "last", json_string(problem->last));
    }
    return object;
}

static void tell_problem(const WalProblem *problem, void *user)
{
    const Settings *settings = user;

    if (settings->json) {
        output_json(json_problem(problem));
        return;
    }
    printf("%s: cluster %" G_GUINT64_FORMAT ", timeline %u", problem->code, problem->system_id,
           problem->timeline);
    if (problem->snapshot)
        printf(", snapshot %s", id_short(problem->snapshot).text);
    if (problem->first)
        printf(", %s to %s", problem->first, problem->last);
    printf(": %s\n", problem->message);
}

static void tell_way(const WalWay *way, void *user)
{
    const Settings *settings = user;
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, way->system_id);

    if (settings->json)
        output_json(json_pack(
            "{s:s, s:s, s:s, s:o, s:i, s:s, s:i, s:s, s:i}", "message_type", "wal_way",
            "system_identifier", id, "snapshot", id_hex(way->snapshot).text, "since",
            way->since ? json_time((Timestamp){ .sec = way->since }) : json_null(), "from_timeline",
            (int)way->from_timeline, "from_lsn", lsn_text(way->from).text, "timeline",
            (int)way->timeline, "end_lsn", lsn_text(way->end).text, "gaps", (int)way->gaps));
    else if (!settings->quiet)
        printf("cluster %s: from snapshot %s every moment up to %s can be recovered%s\n", id,
               id_short(way->snapshot).text, lsn_text(way->end).text,
               way->gaps > 0 ? "; then there is a gap" : "");
}

static void tell_result(const Settings *settings, const WalCheckResult *result)
{
    if (settings->json)
        output_json(json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "message_type", "summary",
                              "snapshots", (int)result->snapshots, "snapshots_complete",
                              (int)result->complete, "files_read", (int)result->n_read, "gaps",
                              (int)result->gaps, "missing", (int)result->missing, "damaged",
                              (int)result->damaged, "abandoned", (int)result->abandoned));
    else if (!settings->quiet)
        printf("%u of %u snapshots of clusters have the WAL that they need; %u gaps, %u files "
               "missing, %u damaged\n",
               result->complete, result->snapshots, result->gaps, result->missing, result->damaged);
}

bool wal_check_run(const Context *context, OpenRepo *open, bool read_data, GError **error)
{
    WalCheck check = { .read_data = read_data,
                       .problem = tell_problem,
                       .way = tell_way,
                       .user = (void *)context->settings };
    WalCheckResult result;

    if (!op_wal_check(open, &check, context->cancel, &result, error))
        return false;
    tell_result(context->settings, &result);
    if (result.damaged > 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "WAL is damaged; see above");
        return false;
    }
    if (result.gaps + result.missing > 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_WAL_GAP, "WAL is missing; see above");
        return false;
    }
    return true;
}
