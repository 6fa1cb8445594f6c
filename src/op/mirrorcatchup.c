/* SPDX-License-Identifier: Apache-2.0 */
/* What mirrors lack, and catching them up (op/mirrorset.h). */
#include "base/error.h"
#include "base/log.h"
#include "op/mirrorplaces.h"

/* ---- what each lacks ---- */

size_t mirrorset_n(const MirrorSet *set)
{
    return mirrorset_is_writing(set) ? set->places->len : 0;
}

void mirrorset_state(MirrorSet *set, size_t i, MirrorState *ret_state)
{
    const Place *place = mirrorset_place(set, i);

    if (place->slot != SIZE_MAX)
        mirror_store_state(set->store, place->slot, ret_state);
    else
        *ret_state = (MirrorState){ .name = g_strdup(place->mirror->name),
                                    .location = g_strdup(place->mirror->location),
                                    .why = g_error_copy(place->why) };
    ret_state->required = place->mirror->required;
}

static MirrorTakes takes_of(MirrorSet *set, const Place *place)
{
    g_auto(MirrorState) state = { 0 };

    if (place->slot == SIZE_MAX)
        return MIRROR_TAKES_NOTHING;
    mirror_store_state(set->store, place->slot, &state);
    return state.takes;
}

static MirrorTakes takes_with(const SyncFacts *facts)
{
    if (facts->missing.objects > 0)
        return MIRROR_TAKES_DATA;
    return facts->extra.objects > 0 ? MIRROR_TAKES_PUTS : MIRROR_TAKES_ALL;
}

static void tell_catching_up(const Place *place, const SyncFacts *facts)
{
    g_autofree char *objects = g_strdup_printf("%" G_GUINT64_FORMAT, facts->missing.objects);
    g_autofree char *bytes = g_strdup_printf("%" G_GUINT64_FORMAT, facts->missing.bytes);

    log_warn("a mirror is behind; catching up", "mirror", place->mirror->name, "location",
             place->mirror->location, "objects", objects, "bytes", bytes, NULL);
}

static void tell_held_back(const char *key, const GError *problem, void *user)
{
    const Place *place = user;

    log_warn("not carried to a mirror; run `backstay check`", "mirror", place->mirror->name,
             "object", key, "error", problem->message, NULL);
}

/* Everything that the place lacks. With why set it lacks something still. */
static void catch_up(MirrorSet *set, Place *place, _Atomic uint64_t *bytes, Sync **ret_sync,
                     SyncResult *result, GError **why)
{
    g_autoptr(Sync) sync = NULL;
    SyncWatch watch = { tell_held_back, place, bytes };

    if (!sync_compare(set->repo, set->first, place->at.store, SYNC_ALL, set->cancel, &sync, why))
        return;
    if (sync_facts(sync)->missing.objects > 0) {
        tell_catching_up(place, sync_facts(sync));
        if (sync_carry(sync, &watch, set->cancel, result, why) && result->held_back.objects > 0)
            g_set_error(why, BS_ERROR, BS_ERROR_CORRUPT,
                        "%" G_GUINT64_FORMAT
                        " objects of the repository are damaged, or wait for such, and were not "
                        "carried; run `backstay check`",
                        result->held_back.objects);
    }
    if (!*why)
        mirror_store_set(set->store, place->slot, takes_with(sync_facts(sync)));
    *ret_sync = g_steal_pointer(&sync);
}

/* Nothing may be said to be done that is not whole at a required mirror. */
static bool catch_up_required(MirrorSet *set, Place *place, GError **error)
{
    g_autoptr(Sync) sync = NULL;
    g_autoptr(GError) why = NULL;
    SyncResult result = { 0 };

    catch_up(set, place, NULL, &sync, &result, &why);
    if (!why)
        return true;
    g_propagate_prefixed_error(error, g_steal_pointer(&why),
                               "required mirror %s: ", place->mirror->name);
    return false;
}

static bool compare(MirrorSet *set, Place *place, GError **error)
{
    bool required = mirrorset_must_have(set, place->mirror);
    g_autoptr(Sync) sync = NULL;
    g_autoptr(GError) failure = NULL;

    if (!sync_compare(set->repo, set->first, place->at.store, SYNC_NAMES, set->cancel, &sync,
                      &failure)) {
        if (required || g_error_matches(failure, BS_ERROR, BS_ERROR_CANCELLED)) {
            g_propagate_prefixed_error(error, g_steal_pointer(&failure),
                                       "mirror %s: ", place->mirror->name);
            return false;
        }
        mirror_store_fail(set->store, place->slot, failure);
        return true;
    }
    if (required && sync_facts(sync)->missing.objects > 0)
        return catch_up_required(set, place, error);
    mirror_store_set(set->store, place->slot, takes_with(sync_facts(sync)));
    return true;
}

bool mirrorset_compare(MirrorSet *set, GError **error)
{
    if (set->use != MIRRORS_WRITE)
        return true;
    for (guint i = 0; i < set->places->len; i++) {
        Place *place = mirrorset_place(set, i);

        if (takes_of(set, place) > MIRROR_TAKES_NOTHING && !compare(set, place, error))
            return false;
    }
    return true;
}

/* ---- the end ---- */

void mirrorset_flush(MirrorSet *set)
{
    if (mirrorset_is_writing(set))
        mirror_store_flush(set->store);
}

static bool is_wanted(const MirrorFinish *finish, const Place *place)
{
    if (!finish->names || !*finish->names)
        return true;
    for (char *const *name = finish->names; *name; name++)
        if (g_ascii_strcasecmp(*name, place->mirror->name) == 0)
            return true;
    return false;
}

static bool still_locked(void *user, GError **error)
{
    return lock_check(user, error);
}

static void remove_extra(MirrorSet *set, Place *place, const MirrorFinish *finish, Sync *sync,
                         SyncResult *result, GError **why)
{
    if (sync_facts(sync)->extra.objects > 0 && repo_load_index_whole(set->repo, set->cancel, why) &&
        sync_remove(sync, finish->remove, still_locked, (void *)finish->lock, result, why))
        mirror_store_set(set->store, place->slot, MIRROR_TAKES_ALL);
}

static GError *why_away(MirrorSet *set, size_t i)
{
    g_auto(MirrorState) state = { 0 };

    mirrorset_state(set, i, &state);
    return g_steal_pointer(&state.why);
}

/* True when there is nothing to say of it. */
static bool finish_one(MirrorSet *set, size_t i, const MirrorFinish *finish, GError **ret_why)
{
    Place *place = mirrorset_place(set, i);
    MirrorTakes takes = takes_of(set, place);
    g_autoptr(Sync) sync = NULL;
    MirrorOutcome outcome = { .name = place->mirror->name };
    GError *why = NULL;

    if (takes == MIRROR_TAKES_NOTHING)
        why = why_away(set, i);
    else if (takes == MIRROR_TAKES_DATA || finish->all)
        catch_up(set, place, finish->bytes, &sync, &outcome.result, &why);
    else
        return true;
    if (sync && !why && finish->remove != SYNC_REMOVE_NOTHING)
        remove_extra(set, place, finish, sync, &outcome.result, &why);
    if (sync)
        outcome.left = *sync_facts(sync);
    if (sync && outcome.result.removed > 0)
        outcome.left.extra = (SyncAmount){ 0 };
    outcome.why = why;
    finish->outcome(&outcome, finish->user);
    *ret_why = why;
    return !why;
}

bool mirrorset_finish(MirrorSet *set, const MirrorFinish *finish, GError **error)
{
    g_autoptr(GString) behind = g_string_new(NULL);

    mirrorset_flush(set);
    for (size_t i = 0; i < mirrorset_n(set); i++) {
        g_autoptr(GError) why = NULL;

        if (!is_wanted(finish, mirrorset_place(set, i)) || finish_one(set, i, finish, &why))
            continue;
        if (g_error_matches(why, BS_ERROR, BS_ERROR_CANCELLED)) {
            g_propagate_error(error, g_steal_pointer(&why));
            return false;
        }
        g_string_append_printf(behind, "%s%s: %s", behind->len ? "; " : "",
                               mirrorset_place(set, i)->mirror->name, why->message);
    }
    if (behind->len == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_DESTINATION,
                "done in the repository, but not in every mirror: %s", behind->str);
    return false;
}
