/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of a host that is adopted (op/adopt.h). */
#include "base/error.h"
#include "base/fs.h"
#include "op/adopt.h"
#include "state/aside.h"
#include "state/portable.h"
#include <errno.h>
#include <string.h>

/* NULL: it is in a server. */
static const char *file_of(const char *url)
{
    const char *file = g_str_has_prefix(url, "sqlite:") ? url + strlen("sqlite:") : url;

    return g_path_is_absolute(file) ? file : NULL;
}

/* ---- looking ---- */

static bool look_into_server(const char *url, const Secret *password, bool *ret_missing,
                             bool *ret_shared, GError **error)
{
    g_autoptr(Catalog) catalog = NULL;
    bool empty;

    // makes the tables when there are none
    if (!catalog_open(url, password, &catalog, error) || !catalog_is_empty(catalog, &empty, error))
        return false;
    *ret_missing = empty;
    *ret_shared = !empty;
    return true;
}

static bool look_into_file(const char *url, bool *ret_missing, GError **error)
{
    g_autoptr(Catalog) catalog = NULL;
    g_autoptr(GError) failure = NULL;

    if (catalog_open_existing(url, NULL, &catalog, &failure))
        return catalog_is_empty(catalog, ret_missing, error);
    *ret_missing = g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND);
    return true; // damaged, or another's: it is in the way at any rate
}

bool adopt_check_catalogue(const char *url, const Secret *password, bool force, bool *ret_missing,
                           bool *ret_shared, GError **error)
{
    *ret_shared = false;
    if (!file_of(url))
        return look_into_server(url, password, ret_missing, ret_shared, error);
    if (!look_into_file(url, ret_missing, error))
        return false;
    if (*ret_missing || force)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_EXISTS,
                "there is a catalogue %s already, and something in it; --force sets it aside, "
                "--catalogue names another",
                file_of(url));
    return false;
}

/* ---- filling ---- */

/* systemd gives a state directory to the user of the unit, and what root makes there would be out
 * of his reach. */
static bool give_to_owner(const char *file, GError **error)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    g_autofree char *dir = g_path_get_dirname(file);
    struct stat st;

    if (geteuid() != 0 || stat(dir, &st) != 0 || st.st_uid == 0)
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *path = g_strconcat(file, suffixes[i], NULL);

        if (lchown(path, st.st_uid, st.st_gid) != 0 && errno != ENOENT) {
            bs_error_errno(error, errno, "giving %s to the owner of its directory", path);
            return false;
        }
    }
    return true;
}

static bool pause_own(Catalog *catalog, int64_t until, GError **error)
{
    g_autoptr(GArray) rows = NULL;

    if (!catalog_schedules(catalog, &rows, error))
        return false;
    for (guint i = 0; i < rows->len; i++) {
        const ScheduleRow *row = &g_array_index(rows, ScheduleRow, i);

        if (row->paused_until < until && !catalog_pause_put(catalog, row->id, false, until, error))
            return false;
    }
    return true;
}

static bool pause_all(Catalog *catalog, const AdoptNeeds *needs, int64_t until, GError **error)
{
    for (guint i = 0; i < needs->schedules->len; i++) {
        const char *name = needs->schedules->pdata[i];
        int64_t paused;

        if (!catalog_pause_get(catalog, name, &paused, error) ||
            (paused < until && !catalog_pause_put(catalog, name, true, until, error)))
            return false;
    }
    return pause_own(catalog, until, error);
}

static bool make_room(const char *url, bool missing, char **ret_aside, GError **error)
{
    const char *file = file_of(url);
    g_autofree char *dir = file ? g_path_get_dirname(file) : NULL;

    if (!file)
        return true;
    return missing ? fs_make_dirs(dir, 0700, error)
                   : catalog_set_aside(url, "before", ret_aside, error);
}

bool adopt_fill_catalogue(const Installation *installation, const AdoptNeeds *needs,
                          const char *url, const Secret *password, bool missing,
                          int64_t paused_until, Catalog **ret_catalog, char **ret_aside,
                          GError **error)
{
    g_autoptr(Catalog) catalog = NULL;
    g_autofree char *aside = NULL;
    CatalogUnpacked unpacked;

    if (!make_room(url, missing, &aside, error) || !catalog_open(url, password, &catalog, error) ||
        (installation->catalogue &&
         !catalog_unpack(catalog, installation->catalogue, &unpacked, error)) ||
        (paused_until > 0 && !pause_all(catalog, needs, paused_until, error)) ||
        (file_of(url) && !give_to_owner(file_of(url), error)))
        return false;
    *ret_catalog = g_steal_pointer(&catalog);
    *ret_aside = g_steal_pointer(&aside);
    return true;
}
