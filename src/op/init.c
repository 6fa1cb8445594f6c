/* SPDX-License-Identifier: Apache-2.0 */
#include "op/init.h"

#include "base/log.h"
#include "op/doctor.h"
#include "op/identity.h"
#include "op/remembered.h"

static bool other_polynomial(const Settings *settings, const InitRequest *request,
                             const Cancel *cancel, uint64_t *ret_polynomial, GError **error)
{
    g_auto(OpenRepo) other = { 0 };

    if (!open_repo_at(settings, request->from, &request->from_password, OPEN_UNLOCKED,
                      MIRRORS_ALONE, cancel, &other, error))
        return false;
    *ret_polynomial = repo_polynomial(other.repo);
    return true;
}

/* Asked before anything is made, so that a server that does not answer leaves nothing. */
static bool warn_of_guard(OpenStore *at, const Settings *settings, GError **error)
{
    g_autoptr(GPtrArray) findings = doctor_findings_new();

    if (!at->remote)
        return true;
    if (!doctor_guard(at->store, &settings->s3, findings, error))
        return false;
    for (guint i = 0; i < findings->len; i++) {
        const DoctorFinding *finding = g_ptr_array_index(findings, i);

        if (finding->state != DOCTOR_PASS)
            log_warn("the bucket does not guard what will lie there", "check", finding->check,
                     "status", doctor_state_name(finding->state), "message", finding->message,
                     NULL);
    }
    return true;
}

bool op_init(const Settings *settings, const InitRequest *request, const Cancel *cancel,
             char **ret_id, char **ret_location, GError **error)
{
    g_autofree char *location = NULL, *user = identity_user(), *host = identity_host(NULL);
    g_auto(OpenStore) at = { 0 };
    g_autoptr(Repo) repo = NULL;
    g_autoptr(Secret) password = NULL;
    RepoInit init = {
        .version = request->version, .cost = request->cost, .username = user, .hostname = host
    };
    RepoOptions options = { 0 };
    PasswordFrom from = {
        .file = settings->password_file,
        .command = settings->password_command,
        .none = settings->insecure_no_password,
        .reference = settings->password_reference,
        .infix = "",
        .prompt = "password for the new repository",
        .confirm = true,
    };

    if (!settings_repository(settings, &location, error))
        return false;
    if (request->copy_chunker &&
        !other_polynomial(settings, request, cancel, &init.polynomial, error))
        return false;
    if (!open_store(settings, location, "", true, cancel, &at, error) ||
        !password_get(&from, &password, error) || !open_store_create(&at, error) ||
        !warn_of_guard(&at, settings, error) || !repo_init(at.store, password, &init, error))
        return false;
    // what was written is opened once, before anybody trusts it
    if (!repo_open(at.store, password, &options, &repo, error)) {
        g_prefix_error(error, "the new repository does not open: ");
        return false;
    }
    remembered_key_save(settings->state_dir, location, repo_key_id(repo));
    *ret_id = g_strdup(repo_id(repo));
    *ret_location = g_steal_pointer(&location);
    return true;
}
