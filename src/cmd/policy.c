/* SPDX-License-Identifier: Apache-2.0 */
#include "op/policy.h"

#include "base/error.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "op/openstore.h"
#include <stdio.h>

typedef struct {
    char **users, **maintainers;
    gboolean bucket_policy, iam;
} PolicyArgs;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(PolicyArgs, member))

static const GOptionEntry policy_options[] = {
    { "user", 0, 0, ARG_LIST, AT(users),
      "who gets these rights by the bucket's policy; may be repeated", "ARN" },
    { "maintainer", 0, 0, ARG_LIST, AT(maintainers),
      "who looks after what a writer writes: on Ceph the bucket's owner, too; may be repeated",
      "ARN" },
    { "bucket-policy", 0, 0, ARG_FLAG, AT(bucket_policy),
      "print only the policy of the bucket, as JSON", NULL },
    { "iam", 0, 0, ARG_FLAG, AT(iam), "print only the policy of a user or role, as JSON", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

static const char *const meanings[] = {
    [POLICY_WRITER] =
        "A writer lists and adds, and reads what backups need, but no content. It removes nothing "
        "but locks.\n"
        "Whoever may add may also put something else over what is there. So a writer can destroy "
        "no history ONLY\n"
        "where the bucket has versioning or object lock: then what was there stays as an older "
        "version.\n",
    [POLICY_MAINTAINER] = "A maintainer may do everything below the prefix: prune, repair, bring "
                          "older versions back, renew locks.\n"
                          "Keep its keys away from the machines that back up. It may not end an "
                          "object lock before its time.\n",
    [POLICY_READER] = "A reader lists and reads everything, and restores. It cannot lock: give "
                      "--no-lock with its commands.\n",
};

/* ---- printing ---- */

static void print_json(const json_t *policy)
{
    g_autofree char *text = json_dumps(policy, JSON_INDENT(2));

    printf("%s\n", text);
}

typedef struct {
    json_t *bucket; /* NULL: nobody was named */
    json_t *iam;
} Policies;

static void policies_done(Policies *policies)
{
    json_decref(policies->bucket);
    json_decref(policies->iam);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Policies, policies_done)

static void print_both(const S3Place *place, PolicyRole role, const Policies *policies)
{
    printf("%s\n", meanings[role]);
    if (policies->bucket) {
        printf("The bucket's policy; a bucket has one, so add these statements to those it has:\n"
               "    aws s3api put-bucket-policy --bucket %s --policy file://POLICY\n\n",
               place->bucket);
        print_json(policies->bucket);
        printf("\n");
    } else {
        printf(
            "For the bucket's policy say who gets it, with --user ARN (on Ceph there is no other "
            "way).\n\n");
    }
    printf("A policy for a user or role of the bucket's own account:\n"
           "    aws iam put-user-policy --user-name NAME --policy-name backstay --policy-document "
           "file://POLICY\n\n");
    print_json(policies->iam);
}

static void print_all(const Context *context, const S3Place *place, PolicyRole role,
                      const PolicyArgs *args, const Policies *policies)
{
    if (args->bucket_policy)
        print_json(policies->bucket);
    else if (args->iam)
        print_json(policies->iam);
    else if (context->settings->json)
        output_json(json_pack("{s:s, s:O?, s:O}", "message_type", "policy", "bucket_policy",
                              policies->bucket, "iam_policy", policies->iam));
    else
        print_both(place, role, policies);
}

/* ---- running ---- */

static bool build(const S3Place *place, const PolicyRequest *request, Policies *policies,
                  GError **error)
{
    PolicyRequest iam = *request;

    iam.users = NULL;
    return (!request->users || !*request->users ||
            policy_build(place->bucket, place->prefix, request, &policies->bucket, error)) &&
           policy_build(place->bucket, place->prefix, &iam, &policies->iam, error);
}

static bool check_args(const PolicyArgs *args, GError **error)
{
    if (args->bucket_policy && args->iam)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--bucket-policy and --iam exclude each other");
    else if (args->bucket_policy && !args->users)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--bucket-policy needs --user ARN: a bucket's policy names whom it is for");
    else
        return true;
    return false;
}

static void warn_if_alone(const PolicyArgs *args, PolicyRole role)
{
    if (role == POLICY_WRITER && args->users && !args->maintainers && !args->iam)
        log_warn(
            "no --maintainer: on Ceph nobody but the writer, not even the bucket's owner, will "
            "be able to read or remove what it writes",
            NULL);
}

static bool policy_run(const Context *context, void *request, char **operands, GError **error)
{
    PolicyArgs *args = request;
    PolicyRequest policy = { .users = args->users,
                             .maintainers = args->maintainers,
                             .locks_objects = context->settings->s3.object_lock != S3_RETAIN_NONE };
    g_autofree char *location = NULL;
    g_auto(S3Place) place = { 0 };
    g_auto(Policies) policies = { 0 };

    if (!operands_between(operands, 1, 2, "writer|maintainer|reader [REPO]", error) ||
        !check_args(args, error) || !policy_role_parse(operands[0], &policy.role, error))
        return false;
    if (operands[1])
        location = g_strdup(operands[1]);
    else if (!settings_repository(context->settings, &location, error))
        return false;
    if (!open_place(location, &place, error) || !build(&place, &policy, &policies, error))
        return false;
    warn_if_alone(args, policy.role);
    print_all(context, &place, policy.role, args, &policies);
    return true;
}

const Command policy_command = {
    .name = "policy",
    .operands = "writer|maintainer|reader [REPO]",
    .summary = "print the rights that keys for a bucket should have",
    .description =
        "A writer backs up, and can neither read nor remove history; a maintainer prunes and "
        "repairs; a reader restores.\n"
        "Prints the bucket's policy, for the users named with --user, and one for users or roles. "
        "Asks no server. On Ceph\n"
        "an object belongs to whoever wrote it: name maintainers and the bucket's owner with "
        "--maintainer.",
    .options = policy_options,
    .request_size = sizeof(PolicyArgs),
    .run = policy_run,
};
