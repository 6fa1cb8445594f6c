/* SPDX-License-Identifier: Apache-2.0 */
#include "op/mirror.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/mirrored.h"
#include "cmd/namedrepo.h"
#include "cmd/output.h"
#include "cmd/table.h"
#include "plan/amount.h"
#include "repo/prune.h"
#include <string.h>

typedef struct {
    char *name;
    gboolean required, remove, force, refill;
} MirrorOptionsGiven;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(MirrorOptionsGiven, member))

static const GOptionEntry mirror_options[] = {
    { "name", 0, 0, ARG_TEXT, AT(name), "add: the mirror's name (default: from its location)",
      "NAME" },
    { "required", 0, 0, ARG_FLAG, AT(required),
      "add: nothing counts as saved before it is durable there, too", NULL },
    { "delete", 0, 0, ARG_FLAG, AT(remove), "sync: also remove what the repository no longer has",
      NULL },
    { "force", 0, 0, ARG_FLAG, AT(force),
      "sync --delete: even if more snapshots go than the repository has left", NULL },
    { "refill", 0, 0, ARG_FLAG, AT(refill),
      "sync: fill a mirror that was emptied, or whose disk is new", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

/* ---- add, remove, promote ---- */

static void tell(const Context *context, const char *action, const char *name, const char *location,
                 const char *what_next)
{
    if (context->settings->json)
        output_json(json_pack("{s:s, s:s, s:o}", "message_type", action, "name", name, "location",
                              json_bytes(location)));
    else if (!context->settings->quiet)
        printf("%s\n", what_next);
}

static bool mirror_add(const Context *context, OpenRepo *open, const MirrorOptionsGiven *options,
                       char **names, GError **error)
{
    g_autofree char *name = options->name ? g_strdup(options->name) : mirror_suggest_name(names[0]);
    g_autofree char *next = NULL;
    g_autoptr(NamedRepo) named = NULL;
    g_autoptr(Mirror) mirror = NULL;

    if (!named_repo_find(context->settings, names[0], &named, error) ||
        !op_mirror_add(context->settings, open, named ? named_repo_settings(named)->repo : names[0],
                       name ? name : "", options->required, context->cancel, &mirror, error))
        return false;
    next = g_strdup_printf("%s mirror \"%s\" at %s added; `backstay mirror sync %s` fills it, or "
                           "the next command that writes",
                           mirror->required ? "required" : "eventual", mirror->name,
                           mirror->location, mirror->name);
    tell(context, "mirror_added", mirror->name, mirror->location, next);
    return true;
}

static bool mirror_drop(const Context *context, OpenRepo *open, const MirrorOptionsGiven *options,
                        char **names, GError **error)
{
    g_autofree char *next = g_strdup_printf(
        "mirror \"%s\" is no longer written to. What lies there stays; to write to it as a "
        "repository of its own, run\n`backstay mirror promote` on it",
        names[0]);

    (void)options;
    if (!op_mirror_remove(open, names[0], error))
        return false;
    tell(context, "mirror_removed", names[0], "", next);
    return true;
}

static void tell_dropped(const Mirror *mirror, const GError *why, void *user)
{
    (void)user;
    fprintf(stderr, "mirror %s at %s is not taken over: %s\n", mirror->name, mirror->location,
            why->message);
}

static bool mirror_promote(const Context *context, OpenRepo *open,
                           const MirrorOptionsGiven *options, char **names, GError **error)
{
    const char *location = open->at.store->location;
    g_autofree char *next = g_strdup_printf(
        "%s is the repository now. The old one, should it come back, must not be written to: what "
        "it has beyond this one\n`backstay copy --from-repo` brings here, then `mirror add` makes "
        "an emptied place a mirror again",
        location);

    (void)options;
    (void)names;
    if (!op_mirror_promote(context->settings, open, tell_dropped, NULL, context->cancel, error))
        return false;
    tell(context, "mirror_promoted", "", location, next);
    return true;
}

/* ---- list and status ---- */

static const char *kind_word(const Mirror *mirror)
{
    return mirror->required ? "required" : "eventual";
}

static json_t *json_mirror(const Mirror *mirror)
{
    return json_pack("{s:s, s:o, s:b, s:o}", "name", mirror->name, "location",
                     json_bytes(mirror->location), "required", mirror->required, "added",
                     json_time(mirror->added));
}

static bool mirror_list(const Context *context, OpenRepo *open, const MirrorOptionsGiven *options,
                        char **names, GError **error)
{
    g_autoptr(Table) table =
        table_new((const char *const[]){ "Name", "", "Location", "Added", NULL });
    g_autoptr(GPtrArray) mirrors = NULL;
    json_t *array;

    (void)options;
    (void)names;
    if (!mirrors_load(open->repo, &mirrors, NULL, error))
        return false;
    array = json_array();
    for (guint i = 0; i < mirrors->len; i++) {
        const Mirror *mirror = g_ptr_array_index(mirrors, i);
        g_autofree char *added = output_time(mirror->added);

        json_array_append_new(array, json_mirror(mirror));
        table_add(table, (const char *const[]){ mirror->name, kind_word(mirror), mirror->location,
                                                added });
    }
    if (context->settings->json)
        output_json(array);
    else {
        json_decref(array);
        table_print(table, stdout);
    }
    return true;
}

static const char *status_word(const MirrorStatus *status)
{
    if (!status->reached)
        return "away";
    if (status->facts.missing.objects > 0)
        return "behind";
    return status->facts.extra.objects > 0 ? "ahead" : "in_sync";
}

static json_t *json_status(const MirrorStatus *status)
{
    const SyncFacts *facts = &status->facts;
    json_t *object = json_mirror(status->mirror);

    json_object_set_new(object, "state", json_string(status_word(status)));
    if (!status->reached) {
        json_object_set_new(object, "error", json_bytes(status->why->message));
        return object;
    }
    json_object_set_new(object, "missing_objects",
                        json_integer((json_int_t)facts->missing.objects));
    json_object_set_new(object, "missing_bytes", json_integer((json_int_t)facts->missing.bytes));
    if (facts->since)
        json_object_set_new(object, "behind_since", json_time((Timestamp){ .sec = facts->since }));
    json_object_set_new(object, "extra_objects", json_integer((json_int_t)facts->extra.objects));
    json_object_set_new(object, "extra_bytes", json_integer((json_int_t)facts->extra.bytes));
    return object;
}

static void print_status(const MirrorStatus *status)
{
    const SyncFacts *facts = &status->facts;
    g_autofree char *missing = size_format(facts->missing.bytes);
    g_autofree char *extra = size_format(facts->extra.bytes);
    g_autofree char *since = output_time((Timestamp){ .sec = facts->since });

    printf("%s (%s, %s): ", status->mirror->name, kind_word(status->mirror),
           status->mirror->location);
    if (!status->reached)
        printf("away: %s", status->why->message);
    else if (facts->missing.objects > 0)
        printf("behind by %" G_GUINT64_FORMAT " objects (%s) since %s", facts->missing.objects,
               missing, since);
    else
        printf("has everything");
    if (facts->extra.objects > 0)
        printf("; %" G_GUINT64_FORMAT " objects (%s) more than the repository",
               facts->extra.objects, extra);
    printf("\n");
}

static bool is_named(char **names, const Mirror *mirror)
{
    for (char **name = names; *name; name++)
        if (g_ascii_strcasecmp(*name, mirror->name) == 0)
            return true;
    return !*names;
}

static bool check_names(OpenRepo *open, char **names, GPtrArray **ret_mirrors, GError **error)
{
    if (!mirrors_load(open->repo, ret_mirrors, NULL, error))
        return false;
    for (char **name = names; *name; name++)
        if (!mirrors_find(*ret_mirrors, *name)) {
            g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                        "there is no mirror \"%s\"; `backstay mirror list` shows all", *name);
            return false;
        }
    return true;
}

static bool mirror_status(const Context *context, OpenRepo *open, const MirrorOptionsGiven *options,
                          char **names, GError **error)
{
    g_autoptr(GPtrArray) mirrors = NULL;
    json_t *array;
    unsigned behind = 0;

    (void)options;
    if (!check_names(open, names, &mirrors, error))
        return false;
    array = json_array();
    for (guint i = 0; i < mirrors->len; i++) {
        const Mirror *mirror = g_ptr_array_index(mirrors, i);
        MirrorStatus status;

        if (!is_named(names, mirror))
            continue;
        if (!op_mirror_status(context->settings, open, mirror, context->cancel, &status, error)) {
            json_decref(array);
            return false;
        }
        behind += !status.reached || status.facts.missing.objects > 0;
        json_array_append_new(array, json_status(&status));
        if (!context->settings->json)
            print_status(&status);
        g_clear_error(&status.why);
    }
    if (context->settings->json)
        output_json(array);
    else
        json_decref(array);
    if (behind > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_DESTINATION,
                    "%u mirror%s behind; `backstay mirror sync` catches up", behind,
                    behind == 1 ? " is" : "s are");
    return behind == 0;
}

/* ---- sync ---- */

static void tell_outcome(const MirrorOutcome *outcome, void *user)
{
    mirrored_tell(user, stdout, outcome);
}

/* Nothing goes from a copy while the repository itself is not whole. */
static bool check_whole(const Context *context, OpenRepo *open, GError **error)
{
    g_autoptr(Prune) prune = NULL;

    return prune_plan(open->repo, &(PruneOptions){ 0 }, context->cancel, &prune, error);
}

static bool mirror_sync(const Context *context, OpenRepo *open, const MirrorOptionsGiven *options,
                        char **names, GError **error)
{
    g_autoptr(GPtrArray) mirrors = NULL;
    ShownProgress shown;
    MirrorFinish finish = {
        .all = true,
        .remove = !options->remove ? SYNC_REMOVE_NOTHING
                  : options->force ? SYNC_REMOVE_FORCED
                                   : SYNC_REMOVE_EXTRA,
        .names = names,
        .lock = open->lock,
        .outcome = tell_outcome,
        .user = (void *)context->settings,
        .bytes = &shown.counters.bytes_done,
    };
    bool ok;

    if (!check_names(open, names, &mirrors, error) ||
        (options->remove && !check_whole(context, open, error)))
        return false;
    (void)progress_show(&shown, context->settings, true);
    ok = mirrorset_finish(open->mirrors, &finish, error);
    progress_hide(&shown);
    return ok;
}

static bool refill(const Context *context, char **names, GError **error)
{
    g_auto(OpenRepo) open = { 0 };

    return operands_between(names, 1, 1, "the mirror to fill anew", error) &&
           open_repo_using(context->settings, OPEN_EXCLUSIVE, MIRRORS_ALONE, false, context->cancel,
                           &open, error) &&
           op_mirror_refill(context->settings, &open, names[0], context->cancel, error);
}

/* ---- the words after `mirror` ---- */

static const struct {
    const char *name;
    const char *operand; /* what it needs; NULL: nothing, "": names of mirrors */
    OpenHow how;
    MirrorUse use;
    bool only_reads;
    bool (*run)(const Context *context, OpenRepo *open, const MirrorOptionsGiven *options,
                char **names, GError **error);
} actions[] = {
    { "add", "the location of the mirror", OPEN_EXCLUSIVE, MIRRORS_ALONE, false, mirror_add },
    { "list", NULL, OPEN_SHARED, MIRRORS_READ, true, mirror_list },
    { "remove", "the name of the mirror", OPEN_EXCLUSIVE, MIRRORS_ALONE, false, mirror_drop },
    { "sync", "", OPEN_SHARED, MIRRORS_SYNC, false, mirror_sync },
    { "status", "", OPEN_SHARED, MIRRORS_ALONE, true, mirror_status },
    { "promote", NULL, OPEN_EXCLUSIVE, MIRRORS_ALONE, false, mirror_promote },
};

static bool options_fit(const char *action, const MirrorOptionsGiven *options, GError **error)
{
    bool add = strcmp(action, "add") == 0, sync = strcmp(action, "sync") == 0;

    if (!add && (options->name || options->required))
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--name and --required are for `mirror add`");
    else if (!sync && (options->remove || options->force || options->refill))
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--delete, --force and --refill are for `mirror sync`");
    else if (options->force && !options->remove)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--force is for --delete");
    else
        return true;
    return false;
}

static bool run_action(const Context *context, size_t i, const MirrorOptionsGiven *options,
                       char **operands, GError **error)
{
    const char *operand = actions[i].operand;
    guint n = operand ? 1 : 0;
    OpenHow how = options->remove ? OPEN_EXCLUSIVE : actions[i].how;
    g_auto(OpenRepo) open = { 0 };

    if ((!operand || *operand) && !operands_between(operands, n + 1, n + 1, operand, error))
        return false;
    return options_fit(actions[i].name, options, error) &&
           (!options->refill || refill(context, operands + 1, error)) &&
           open_repo_using(context->settings, how, actions[i].use, actions[i].only_reads,
                           context->cancel, &open, error) &&
           actions[i].run(context, &open, options, operands + 1, error);
}

static bool mirror_run(const Context *context, void *request, char **operands, GError **error)
{
    for (size_t i = 0; operands[0] && i < G_N_ELEMENTS(actions); i++)
        if (strcmp(operands[0], actions[i].name) == 0)
            return run_action(context, i, request, operands, error);
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "mirror: say add, list, remove, sync, status or promote");
    return false;
}

const Command mirror_command = {
    .name = "mirror",
    .operands = "add LOCATION|list|remove NAME|sync [NAME...]|status [NAME...]|promote",
    .summary = "keep whole copies of the repository elsewhere",
    .description =
        "A mirror is a copy of the repository, object by object, in another place. Every command "
        "that writes, writes there, too.\n"
        "  add      a mirror; eventual ones may be away and are caught up later, a --required one "
        "must be there\n"
        "  list     all mirrors\n"
        "  remove   a mirror from the list; what lies there stays\n"
        "  sync     bring mirrors up to date now; each object is proved on the way, so damage "
        "does not spread\n"
        "  status   how far each mirror is behind, and since when\n"
        "  promote  make the mirror -r REPO the repository, when that is lost\n\n"
        "The keys of a mirror's bucket come from $BACKSTAY_MIRROR_<NAME>_S3_ACCESS_KEY and so on, "
        "else from where those of the\n"
        "repository come from. Exit status 30: a mirror is behind.",
    .options = mirror_options,
    .request_size = sizeof(MirrorOptionsGiven),
    .run = mirror_run,
};
