/* SPDX-License-Identifier: Apache-2.0 */
#include "op/doctorserver.h"

#include "base/error.h"
#include "pg/url.h"

bool doctor_is_server(const char *operand)
{
    return pg_url_is(operand);
}

static const DoctorState states[] = {
    [PG_SETUP_OK] = DOCTOR_PASS,
    [PG_SETUP_WARN] = DOCTOR_WARN,
    [PG_SETUP_WAITS] = DOCTOR_WARN,
    [PG_SETUP_MISSING] = DOCTOR_FAIL,
};

static DoctorFinding *add(GPtrArray *findings, const PgUrl *url, const char *check,
                          DoctorState state, const char *message)
{
    DoctorFinding *finding = g_new0(DoctorFinding, 1);

    finding->check = check;
    finding->state = state;
    finding->message = g_strdup(message);
    finding->server = pg_url_redacted(url);
    g_ptr_array_add(findings, finding);
    return finding;
}

static void add_item(GPtrArray *findings, const PgUrl *url, const PgSetupItem *item)
{
    DoctorFinding *finding = add(findings, url, item->check, states[item->state], item->message);

    if (item->statement)
        finding->remedy = g_strdup_printf("%s;%s%s", item->statement, item->needs ? "  -- " : "",
                                          item->needs ? item->needs : "");
    else if (item->line)
        finding->remedy = g_strdup_printf("%s      # in pg_hba.conf, then reload", item->line);
    else if (item->needs)
        finding->remedy = g_strdup(item->needs);
}

/* What says something of the server, and not of us or of how we were called. */
static bool is_finding(const GError *failure)
{
    return !g_error_matches(failure, BS_ERROR, BS_ERROR_USAGE) &&
           !g_error_matches(failure, BS_ERROR, BS_ERROR_CANCELLED);
}

bool op_doctor_server(const PgSetupRequest *request, const Cancel *cancel, GPtrArray *findings,
                      GError **error)
{
    g_autoptr(PgUrl) url = pg_url_parse(request->url, error);
    g_autoptr(GPtrArray) items = NULL;
    g_autoptr(GError) failure = NULL;

    if (!url)
        return false;
    if (op_pg_setup(request, cancel, &items, &failure)) {
        for (guint i = 0; i < items->len; i++)
            add_item(findings, url, g_ptr_array_index(items, i));
        return true;
    }
    if (is_finding(failure)) {
        add(findings, url, "server", DOCTOR_FAIL, failure->message);
        return true;
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}
