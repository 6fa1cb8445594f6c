/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/commands.h"
#include "cmd/output.h"
#include "op/open.h"

typedef struct {
    gboolean remove_all;
} UnlockOptions;

static const GOptionEntry unlock_options[] = {
    { "remove-all", 0, 0, ARG_FLAG, GSIZE_TO_POINTER(G_STRUCT_OFFSET(UnlockOptions, remove_all)),
      "also the locks of those who still work", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

static void tell_left(const LockInfo *lock)
{
    g_autofree char *time = output_time(lock->time);

    if (lock->readable)
        fprintf(stderr, "left: %s lock %s of %s@%s, PID %" G_GINT64_FORMAT ", since %s\n",
                lock->exclusive ? "exclusive" : "shared", id_short(&lock->id).text, lock->username,
                lock->hostname, lock->pid, time);
    else
        fprintf(stderr, "left: lock %s, which cannot be read\n", id_short(&lock->id).text);
}

static void tell(const Context *context, unsigned removed, const GArray *left)
{
    if (context->settings->json) {
        output_json(json_pack("{s:s, s:i, s:i}", "message_type", "summary", "removed_locks",
                              (int)removed, "remaining_locks", (int)left->len));
        return;
    }
    if (removed > 0 && !context->settings->quiet)
        printf("successfully removed %u %s\n", removed, removed == 1 ? "lock" : "locks");
    for (guint i = 0; i < left->len; i++)
        tell_left(&g_array_index(left, LockInfo, i));
    if (left->len > 0)
        fprintf(stderr, "whoever holds these still works; --remove-all takes their locks away, "
                        "which can cost data\n");
    else if (removed == 0 && !context->settings->quiet)
        printf("no locks to remove\n");
}

static bool unlock_run(const Context *context, void *request, char **operands, GError **error)
{
    const UnlockOptions *options = request;
    const char *state_dir = context->settings->state_dir;
    g_auto(OpenRepo) open = { 0 };
    g_autoptr(GArray) left = NULL;
    unsigned removed;

    if (!operands_between(operands, 0, 0, "", error) ||
        !open_repo_using(context->settings, OPEN_UNLOCKED, MIRRORS_ALONE, true, context->cancel,
                         &open, error) ||
        !lock_remove_stale(open.repo, state_dir, options->remove_all, &removed, error) ||
        !lock_list(open.repo, state_dir, &left, error))
        return false;
    tell(context, removed, left);
    return true;
}

const Command unlock_command = {
    .name = "unlock",
    .operands = "",
    .summary = "remove locks that nobody holds any more",
    .description = "A lock is stale when it was not refreshed for 30 minutes, or when its owner "
                   "on this machine is gone.",
    .options = unlock_options,
    .request_size = sizeof(UnlockOptions),
    .run = unlock_run,
};
