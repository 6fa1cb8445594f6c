/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/places.h"

#include "base/error.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* systemd hands over a list when a unit names several; ours names one. */
static char *from_systemd(const char *variable)
{
    const char *value = g_getenv(variable);

    if (!value || *value != '/')
        return NULL;
    return g_strndup(value, strcspn(value, ":"));
}

static char *choose(const char *variable, const char *of_root, const char *of_user)
{
    char *given = from_systemd(variable);

    if (given)
        return given;
    return geteuid() == 0 ? g_strdup(of_root) : g_build_filename(of_user, "backstay", NULL);
}

static bool make(const char *path, GError **error)
{
    if (g_mkdir_with_parents(path, 0700) == 0)
        return true;
    bs_error_errno(error, errno, "making %s", path);
    return false;
}

static char *find_state(void)
{
    return choose("STATE_DIRECTORY", "/var/lib/backstay", g_get_user_state_dir());
}

char *places_catalogue(void)
{
    g_autofree char *state = find_state();

    return g_build_filename(state, "catalogue.db", NULL);
}

bool places_open(Places *ret_places, GError **error)
{
    g_auto(Places) places = {
        .state = find_state(),
        .runtime = choose("RUNTIME_DIRECTORY", "/run/backstay", g_get_user_runtime_dir()),
    };

    places.runs = g_build_filename(places.state, "runs", NULL);
    places.queue = g_build_filename(places.state, "queue", NULL);
    places.uploads = g_build_filename(places.state, "uploads", NULL);
    places.control = g_build_filename(places.runtime, "control.sock", NULL);
    if (!make(places.runs, error) || !make(places.queue, error) || !make(places.uploads, error) ||
        !make(places.runtime, error))
        return false;
    *ret_places = places;
    memset(&places, 0, sizeof places);
    return true;
}

void places_done(Places *places)
{
    g_free(places->state);
    g_free(places->runtime);
    g_free(places->runs);
    g_free(places->queue);
    g_free(places->uploads);
    g_free(places->control);
    memset(places, 0, sizeof *places);
}

char *places_run(const Places *places, const char *id)
{
    g_return_val_if_fail(strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32, NULL);
    return g_build_filename(places->runs, id, NULL);
}

char *places_run_usual(const char *id)
{
    g_autofree char *state = find_state();
    const Places places = { .runs = g_build_filename(state, "runs", NULL) };
    char *path = places_run(&places, id);

    g_free(places.runs);
    return path;
}
