/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/mirrored.h"

#include "base/error.h"
#include "cmd/output.h"
#include "plan/amount.h"

static const char *state_word(MirrorTakes takes)
{
    static const char *const words[] = {
        [MIRROR_TAKES_NOTHING] = "away",
        [MIRROR_TAKES_DATA] = "behind",
        [MIRROR_TAKES_PUTS] = "ahead",
        [MIRROR_TAKES_ALL] = "in_sync",
    };

    return words[takes];
}

json_t *mirrored_json(OpenRepo *open)
{
    json_t *array;

    if (mirrorset_n(open->mirrors) == 0)
        return NULL;
    mirrorset_flush(open->mirrors);
    array = json_array();
    for (size_t i = 0; i < mirrorset_n(open->mirrors); i++) {
        g_auto(MirrorState) state = { 0 };
        json_t *object;

        mirrorset_state(open->mirrors, i, &state);
        object =
            json_pack("{s:s, s:b, s:s, s:I, s:I}", "name", state.name, "required", state.required,
                      "state", state_word(state.takes), "missed_objects", (json_int_t)state.missed,
                      "missed_bytes", (json_int_t)state.missed_bytes);
        if (state.why)
            json_object_set_new(object, "error", json_bytes(state.why->message));
        json_array_append_new(array, object);
    }
    return array;
}

/* ---- the end ---- */

static json_t *json_amount(const SyncAmount *amount)
{
    return json_pack("{s:I, s:I}", "objects", (json_int_t)amount->objects, "bytes",
                     (json_int_t)amount->bytes);
}

static const char *word_for(const MirrorOutcome *outcome)
{
    bool ahead = outcome->left.extra.objects > 0;

    if (outcome->left.missing.objects > 0 || (outcome->why && !ahead))
        return "behind";
    return ahead ? "ahead" : "in_sync";
}

static void tell_json(FILE *to, const MirrorOutcome *outcome)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:o, s:I, s:I, s:o, s:o}", "message_type", "mirror", "name", outcome->name,
        "state", word_for(outcome), "carried", json_amount(&outcome->result.carried), "held_back",
        (json_int_t)outcome->result.held_back.objects, "removed",
        (json_int_t)outcome->result.removed, "missing", json_amount(&outcome->left.missing),
        "extra", json_amount(&outcome->left.extra));
    char *line;

    if (outcome->why)
        json_object_set_new(object, "error", json_bytes(outcome->why->message));
    line = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    (void)fprintf(to, "%s\n", line); // output_close() asks whether stdout is well
    free(line);
}

void mirrored_tell(const Settings *settings, FILE *json_to, const MirrorOutcome *outcome)
{
    g_autofree char *carried = size_format(outcome->result.carried.bytes);

    if (settings->json) {
        tell_json(json_to, outcome);
        return;
    }
    if (settings->quiet)
        return;
    printf("mirror %s: %" G_GUINT64_FORMAT " objects carried (%s), %" G_GUINT64_FORMAT " removed",
           outcome->name, outcome->result.carried.objects, carried, outcome->result.removed);
    if (outcome->why)
        printf("; %s: %s\n", word_for(outcome), outcome->why->message);
    else if (outcome->left.extra.objects > 0)
        printf("; holds %" G_GUINT64_FORMAT " objects more than the repository\n",
               outcome->left.extra.objects);
    else
        printf("; in sync\n");
}

/* Beside a document on standard output nothing else may stand there. */
static void tell_outcome(const MirrorOutcome *outcome, void *user)
{
    mirrored_tell(user, stderr, outcome);
}

bool mirrored_finish(const Context *context, OpenRepo *open, bool pruned, bool ok, GError **error)
{
    MirrorFinish finish = {
        .all = pruned,
        .remove = pruned ? SYNC_REMOVE_UNNEEDED : SYNC_REMOVE_NOTHING,
        .lock = open->lock,
        .outcome = tell_outcome,
        .user = (void *)context->settings,
    };
    bool done = ok || (error && (g_error_matches(*error, BS_ERROR, BS_ERROR_PARTIAL) ||
                                 g_error_matches(*error, BS_ERROR, BS_ERROR_PROTECTED)));

    // what was left out comes first
    return done && mirrorset_finish(open->mirrors, &finish, ok ? error : NULL) && ok;
}
