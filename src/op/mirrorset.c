/* SPDX-License-Identifier: Apache-2.0 */

#include "base/error.h"
#include "base/log.h"
#include "op/mirrorplaces.h"
#include "op/remembered.h"
#include "store/fallback.h"

/* ---- saying it, once and loud ---- */

static void tell_behind(const MirrorState *state, void *user)
{
    (void)user;
    log_warn("a mirror is behind", "mirror", state->name, "location", state->location, "error",
             state->why->message, NULL);
}

static void tell_used(size_t i, const GError *why, void *user)
{
    const MirrorSet *set = user;
    const Mirror *mirror = g_ptr_array_index(set->mirrors, i);

    bool has_gap = g_error_matches(why, BS_ERROR, BS_ERROR_NOT_FOUND) ||
                   g_error_matches(why, BS_ERROR, BS_ERROR_CORRUPT);

    log_warn(has_gap ? "the repository does not have it; reading from a mirror"
                     : "the repository does not answer; reading from a mirror, which may lack the "
                       "newest snapshots",
             "repository", set->first->location, "error",
             why ? why->message : "it did not answer before", "mirror", mirror->name, "location",
             mirror->location, NULL);
}

/* ---- opening a place ---- */

char *mirrorset_infix(const Mirror *mirror)
{
    g_autofree char *name = g_ascii_strup(mirror->name, -1);

    return g_strconcat("MIRROR_", g_strdelimit(name, "-", '_'), "_", NULL);
}

bool mirrorset_open_place(const Settings *settings, const Mirror *mirror, bool create,
                          const Cancel *cancel, OpenStore *ret_at, GError **error)
{
    g_autofree char *infix = mirrorset_infix(mirror);

    return open_store(settings, mirror->location, infix, create, cancel, ret_at, error);
}

/* For the fallback store: only what is needed is opened. */
static Store *open_other(size_t i, void *user)
{
    MirrorSet *set = user;
    Place *place = mirrorset_place(set, i);
    g_autoptr(GError) failure = NULL;

    if (mirrorset_open_place(set->settings, place->mirror, false, set->cancel, &place->at,
                             &failure) &&
        mirror_mark_check(set->repo, place->at.store, place->mirror, &failure))
        return place->at.store;
    log_debug("no help from a mirror", "mirror", place->mirror->name, "why", failure->message,
              NULL);
    return NULL;
}

MirrorSet *mirrorset_new(const Settings *settings, const char *location, Store *first,
                         MirrorUse use, const Cancel *cancel)
{
    MirrorSet *set = g_new0(MirrorSet, 1);

    set->settings = settings;
    set->location = g_strdup(location);
    set->cancel = cancel;
    set->use = use;
    set->first = first;
    set->places = g_array_new(FALSE, TRUE, sizeof(Place));
    set->mirrors = g_ptr_array_new_with_free_func((GDestroyNotify)mirror_free);
    if (mirrorset_is_writing(set))
        set->store = mirror_store_new(first, &(MirrorOptions){ mirror_kind, tell_behind, set, 0 });
    else if (use == MIRRORS_READ)
        set->store = fallback_store_new(
            first, &(FallbackOptions){ mirror_kind, open_other, tell_used, set });
    return set;
}

void mirrorset_free(MirrorSet *set)
{
    if (!set)
        return;
    store_free(set->store);
    for (guint i = 0; i < set->places->len; i++) {
        Place *place = mirrorset_place(set, i);

        open_store_done(&place->at);
        g_clear_error(&place->why);
    }
    g_array_unref(set->places);
    g_ptr_array_unref(set->mirrors);
    mirror_names_clear(&set->names);
    g_clear_error(&set->unlisted);
    g_free(set->location);
    g_free(set);
}

Store *mirrorset_store(MirrorSet *set)
{
    return set->store ? set->store : set->first;
}

/* ---- attaching ---- */

/* Nobody writes to a mirror alone. */
static bool check_unmarked(MirrorSet *set, GError **error)
{
    g_auto(MirrorMark) mark = { 0 };

    if (!mirror_mark_load(set->repo, set->first, &mark, error))
        return false;
    if (!mark.name)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                "%s is mirror \"%s\" of the repository: what is written here alone would not be "
                "there; write to the repository. If it is lost, `backstay mirror promote` makes "
                "this copy the repository",
                set->first->location, mark.name);
    return false;
}

/* False: it is not there, and must be. */
static bool attach(MirrorSet *set, Place *place, GError **error)
{
    const Mirror *mirror = place->mirror;
    MirrorState state = { .name = mirror->name, .location = mirror->location };

    if (mirrorset_open_place(set->settings, mirror, false, set->cancel, &place->at, &place->why) &&
        mirror_mark_check(set->repo, place->at.store, mirror, &place->why)) {
        place->slot = mirror_store_n(set->store);
        // data at most until it was compared
        mirror_store_add(set->store, mirror->name, place->at.store,
                         mirrorset_must_have(set, mirror), MIRROR_TAKES_DATA);
        return true;
    }
    if (mirrorset_must_have(set, mirror)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&place->why),
                                   "required mirror %s: ", mirror->name);
        return false;
    }
    state.why = place->why;
    tell_behind(&state, set);
    return true;
}

static void add_places(MirrorSet *set)
{
    for (guint i = 0; i < set->mirrors->len; i++) {
        Place place = { .set = set,
                        .mirror = g_ptr_array_index(set->mirrors, i),
                        .slot = SIZE_MAX };

        g_array_append_val(set->places, place);
    }
}

void mirrorset_list(MirrorSet *set)
{
    if (set->use != MIRRORS_ALONE)
        (void)mirror_names_list(mirrorset_store(set), &set->names, &set->unlisted);
}

static bool load(MirrorSet *set, bool *ret_marked, GError **error)
{
    GPtrArray *mirrors;

    if (set->unlisted) {
        g_propagate_error(error, g_steal_pointer(&set->unlisted));
        return false;
    }
    if (!mirrors_read(set->repo, &set->names, &mirrors, error))
        return false;
    *ret_marked = set->names.marked;
    g_ptr_array_unref(set->mirrors);
    set->mirrors = mirrors;
    add_places(set);
    return true;
}

/* Reading goes on as well as it can. */
static bool attach_readers(MirrorSet *set)
{
    g_autoptr(GError) failure = NULL;
    bool marked;

    if (!load(set, &marked, &failure)) {
        log_debug("no mirrors to help", "why", failure->message, NULL);
        return true;
    }
    if (!marked)
        remembered_save(set->settings->state_dir, set->location, repo_id(set->repo), set->mirrors);
    fallback_store_set(set->store, set->mirrors->len);
    return true;
}

bool mirrorset_attach(MirrorSet *set, Repo *repo, GError **error)
{
    bool marked;

    set->repo = repo;
    if (set->use == MIRRORS_ALONE)
        return true;
    if (set->use == MIRRORS_READ)
        return attach_readers(set);
    if (!load(set, &marked, error) || (marked && !check_unmarked(set, error)))
        return false;
    remembered_save(set->settings->state_dir, set->location, repo_id(repo), set->mirrors);
    for (guint i = 0; i < set->places->len; i++)
        if (!attach(set, mirrorset_place(set, i), error))
            return false;
    return true;
}
