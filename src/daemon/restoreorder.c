/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/restoreorder.h"

#include "base/error.h"
#include "daemon/backuprow.h"
#include "daemon/restorerecovery.h"
#include "daemon/tasksteps.h"
#include <string.h>

#define LIST_MAX 64

static const ShapeField restore_fields[] = {
    { "source", SHAPE_TEXT, 0, "which of its snapshots; needed when there are several", .min = 1,
      .max = 128 },
    { "path", SHAPE_TEXT, 0, "only this directory or file of it", .min = 1, .max = 4095 },
    { "target", SHAPE_OBJECT, SHAPE_REQUIRED, "a directory, a file, or a source",
      .of = &restore_target_shape },
    { "recovery", SHAPE_OBJECT, 0, "of a PostgreSQL cluster: the moment that it recovers to",
      .of = &recovery_shape },
    { "overwrite", SHAPE_BOOL, 0, "what is there may be replaced; needs \"confirm\"" },
    { "confirm", SHAPE_TEXT, 0, "the name of the target, as the preview tells it", .max = 4095 },
    { "safety_backup", SHAPE_BOOL, 0,
      "with \"overwrite\": what is there is backed up first (default true)" },
    { "include", SHAPE_TEXTS, 0, "into a directory: only what matches one of these patterns",
      .max = LIST_MAX },
    { "exclude", SHAPE_TEXTS, 0, "into a directory: nothing that matches one of these",
      .max = LIST_MAX },
    { "verify", SHAPE_BOOL, 0, "files and volumes: compare everything afterwards" },
    { "databases", SHAPE_TEXTS, 0, "into a database: only these of the snapshot", .max = LIST_MAX },
    { "tables", SHAPE_TEXTS, 0, "into a database: only these (schema.table)", .max = LIST_MAX },
    { "schemas", SHAPE_TEXTS, 0, "into a database: only these", .max = LIST_MAX },
    { "create", SHAPE_BOOL, 0, "into a database: make it where it is missing" },
    { "no_owner", SHAPE_BOOL, 0, "into a database: all belongs to who restores" },
    { "no_acl", SHAPE_BOOL, 0, "into a database: without grants" },
    { NULL },
};
const Shape restore_body = { "RestoreOrder", restore_fields };

#define FILES     (1u << RESTORE_TO_DIRECTORY)
#define VOLUMES   (1u << RESTORE_TO_IMAGE | 1u << RESTORE_TO_VOLUME)
#define DATABASES (1u << RESTORE_TO_SERVER)

/* Members that are options of some kinds of targets alone. */
static const struct {
    const char *member, *option; /* of `restore`; NULL: it is something else */
    unsigned targets;            /* bits, 1 << RestoreTo */
} options[] = {
    { "path", NULL, FILES | DATABASES },      { "include", "--include", FILES },
    { "exclude", "--exclude", FILES },        { "verify", "--verify", FILES | VOLUMES },
    { "databases", "--database", DATABASES }, { "tables", "--table", DATABASES },
    { "schemas", "--schema", DATABASES },     { "create", "--create", DATABASES },
    { "no_owner", "--no-owner", DATABASES },  { "no_acl", "--no-acl", DATABASES },
};

void restore_plan_clear(RestorePlan *plan)
{
    json_decref(plan->steps);
    json_decref(plan->about);
    restore_target_clear(&plan->target);
    *plan = (RestorePlan){ 0 };
}

static bool refuse(GError **error, BsErrorCode code, const char *text)
{
    g_set_error_literal(error, BS_ERROR, code, text);
    return false;
}

typedef struct {
    const RestoreOrder *order;
    BackupSnapshot snapshot;
    const json_t *recovery; /* NULL: none */
    RecoveryOrder recovers;
} Making;

static void making_done(Making *making)
{
    recovery_order_clear(&making->recovers);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Making, making_done)

/* ---- the target ---- */

static bool take_target(Making *making, RestorePlan *plan, GError **error)
{
    const RestoreOrder *order = making->order;
    const char *kind = making->snapshot.kind;

    making->recovery = json_object_get(order->order, "recovery");
    if (making->recovery && kind && strcmp(kind, "pgcluster") != 0)
        return refuse(error, BS_ERROR_USAGE,
                      "\"recovery\" is for snapshots of PostgreSQL clusters");
    if (!restore_target_take(order->configuration, json_object_get(order->order, "target"), kind,
                             making->recovery != NULL, &plan->target, error) ||
        (making->recovery &&
         !recovery_order(order->configuration, making->recovery, &making->recovers, error)))
        return false;
    plan->exists =
        plan->target.exists || (making->recovers.found && making->recovers.found->len > 0);
    return true;
}

/* ---- may it ---- */

static bool check_confirmed(const Making *making, const RestorePlan *plan, GError **error)
{
    const char *typed = shape_text(making->order->order, "confirm");

    if (!making->order->run)
        return true;
    if (plan->exists && !plan->overwrite)
        return refuse(error, BS_ERROR_NOT_EMPTY,
                      "the target holds something; ask for \"overwrite\", and give its name as "
                      "\"confirm\"");
    if (plan->overwrite && g_strcmp0(typed, plan->target.name) != 0)
        return refuse(
            error, BS_ERROR_GUARD,
            "\"overwrite\" needs the name of the target as \"confirm\"; the preview tells "
            "it");
    return true;
}

static bool check_members(const json_t *order, const RestoreTarget *target, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        if (json_object_get(order, options[i].member) && !(options[i].targets & 1u << target->to)) {
            g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                        "\"%s\" is nothing for a restore to a %s of this backup", options[i].member,
                        restore_target_word(target));
            return false;
        }
    }
    if (json_object_get(order, "include") && json_object_get(order, "exclude"))
        return refuse(error, BS_ERROR_USAGE, "give \"include\" or \"exclude\", not both");
    if (shape_text(order, "path") && *shape_text(order, "path") != '/')
        return refuse(error, BS_ERROR_USAGE, "path must begin with '/'");
    return true;
}

/* ---- the words ---- */

static void add_options(json_t *argv, const json_t *order)
{
    const json_t *value;
    size_t n;

    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        const json_t *member = json_object_get(order, options[i].member);

        if (!options[i].option)
            continue;
        if (json_is_true(member))
            task_argv_add(argv, "%s", options[i].option);
        json_array_foreach(member, n, value)
            task_argv_add(argv, "%s=%s", options[i].option, json_string_value(value));
    }
}

/* Each once: the target's own, and those of a cluster's tablespaces. */
static void add_roots(json_t *argv, const Making *making, const RestorePlan *plan)
{
    const GPtrArray *more = making->recovers.roots;

    if (plan->target.root)
        task_argv_add(argv, "--beneath=%s", plan->target.root);
    for (guint i = 0; more && i < more->len; i++) {
        bool known = strcmp(more->pdata[i], plan->target.root) == 0;

        for (guint k = 0; k < i; k++)
            known = known || more->pdata[k] == more->pdata[i];
        if (!known)
            task_argv_add(argv, "--beneath=%s", (const char *)more->pdata[i]);
    }
}

/* Of a server nobody knows what it holds before it is asked. */
static bool may_hold_something(const RestorePlan *plan)
{
    return plan->exists || !plan->target.root;
}

/* What "overwrite" is called there. What appears where nothing was, while the order waits, has no
 * safety backup. A delta begins with what is of this very cluster, and with nothing else. */
static const char *overwrite_option(const Making *making, const RestorePlan *plan)
{
    if (!plan->overwrite || plan->target.to == RESTORE_TO_DIRECTORY || !may_hold_something(plan))
        return NULL;
    if (plan->target.to == RESTORE_TO_SERVER)
        return "--clean";
    return shape_bool(making->recovery, "delta", false) ? "--delta" : "--force";
}

/* Whether the order was given for a directory in which nothing was. A recovery sees to it itself.
 */
static bool wants_empty(const Making *making, const RestorePlan *plan)
{
    return plan->target.to == RESTORE_TO_DIRECTORY && !plan->exists &&
           json_array_size(making->recovers.words) == 0;
}

static json_t *restore_argv(const Making *making, const RestorePlan *plan, bool dry_run)
{
    const json_t *order = making->order->order, *word;
    const char *path = shape_text(order, "path"), *overwrite = overwrite_option(making, plan);
    g_autofree char *target = restore_target_option(&plan->target);
    json_t *argv =
        task_argv_new(making->order->configuration, making->order->backup->repository, "restore");
    size_t i;

    task_argv_add(argv, "%s", target);
    add_roots(argv, making, plan);
    json_array_foreach(making->recovers.words, i, word) json_array_append(argv, (json_t *)word);
    if (overwrite)
        task_argv_add(argv, "%s", overwrite);
    if (wants_empty(making, plan))
        task_argv_add(argv, "--overwrite=refuse");
    if (dry_run)
        task_argv_add(argv, "--dry-run");
    add_options(argv, order);
    task_argv_add(argv, "--");
    task_argv_add(argv, "%s%s%s", making->snapshot.id, path ? ":" : "", path ? path : "");
    return argv;
}

/* What is there now, so that the restore can be undone. */
static json_t *safety_argv(const Making *making, const RestorePlan *plan)
{
    const GPtrArray *more = making->recovers.found;
    g_autofree char *target = restore_target_operand(&plan->target);
    json_t *argv =
        task_argv_new(making->order->configuration, making->order->backup->repository, "backup");

    task_argv_add(argv, "--tag=safety=%s", making->order->run);
    task_argv_add(argv, "--");
    if (plan->target.exists || !plan->target.root)
        task_argv_add(argv, "%s", target);
    for (guint i = 0; more && i < more->len; i++)
        task_argv_add(argv, "%s", (const char *)more->pdata[i]);
    return argv;
}

static void make_steps(const Making *making, RestorePlan *plan)
{
    const bool preview = !making->order->run;
    const bool safety = !preview && plan->overwrite && may_hold_something(plan) &&
                        shape_bool(making->order->order, "safety_backup", true);

    plan->steps = json_array();
    // what cannot be reached, or must not be touched, needs no safety backup of a whole cluster
    if (safety && making->recovery)
        task_steps_add(plan->steps, "check", restore_argv(making, plan, true));
    if (safety)
        task_steps_add(plan->steps, "safety-backup", safety_argv(making, plan));
    task_steps_add(plan->steps, "restore", restore_argv(making, plan, preview));
    plan->about =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b}", "backup", making->order->backup->id,
                  "source", making->snapshot.source, "snapshot", making->snapshot.id, "target",
                  plan->target.name, "target_kind", restore_target_word(&plan->target), "overwrite",
                  (int)plan->overwrite, "safety_backup", (int)safety);
}

bool restore_order(const RestoreOrder *order, RestorePlan *ret_plan, GError **error)
{
    g_auto(RestorePlan) plan = { 0 };
    g_auto(Making) making = { .order = order };

    if (!backup_row_is(order->backup))
        return refuse(error, BS_ERROR_NOT_FOUND, "this run left no backup");
    if (!shape_check(&restore_body, order->order, error) ||
        !backup_row_snapshot(order->backup, shape_text(order->order, "source"), &making.snapshot,
                             error) ||
        !task_repository(order->configuration, order->backup->repository, error) ||
        !take_target(&making, &plan, error) || !check_members(order->order, &plan.target, error))
        return false;
    plan.overwrite = shape_bool(order->order, "overwrite", false);
    if (!check_confirmed(&making, &plan, error))
        return false;
    make_steps(&making, &plan);
    *ret_plan = plan;
    plan = (RestorePlan){ 0 };
    return true;
}
