/* SPDX-License-Identifier: Apache-2.0 */
#include "op/tablespaces.h"

#include "base/error.h"
#include "pg/walname.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

const char *tablespace_place_path(const TablespacePlace *place)
{
    return place->via && *place->via ? place->via : place->dir;
}

static void clear_place(void *place)
{
    g_free(((TablespacePlace *)place)->dir);
}

static bool is_named(const BaseTablespace *tablespace, const char *name, size_t len)
{
    g_autofree char *word = g_strndup(name, len);
    g_autofree char *dir = *word == '/' ? g_canonicalize_filename(word, "/") : NULL;
    guint64 oid;

    if (g_ascii_string_to_unsigned(word, 10, 1, UINT32_MAX, &oid, NULL))
        return oid == tablespace->oid;
    return dir && strcmp(dir, tablespace->location) == 0;
}

/* The tablespace and the directory of one "OLD=NEW". Either may hold '=': the first place that fits
 * counts. */
static const BaseTablespace *read_word(const ClusterBase *base, const char *word, char **ret_dir)
{
    for (const char *at = strchr(word, '='); at; at = strchr(at + 1, '='))
        for (guint i = 0; i < base->tablespaces->len; i++) {
            const BaseTablespace *one = &g_array_index(base->tablespaces, BaseTablespace, i);

            if (one->inside || !at[1] || !is_named(one, word, (size_t)(at - word)))
                continue;
            *ret_dir = g_canonicalize_filename(at + 1, NULL);
            return one;
        }
    return NULL;
}

static const TablespacePlace *find_place(const GArray *places, uint32_t oid)
{
    for (guint i = 0; i < places->len; i++) {
        const TablespacePlace *place = &g_array_index(places, TablespacePlace, i);

        if (place->oid == oid)
            return place;
    }
    return NULL;
}

static bool add_word(const ClusterBase *base, const char *word, const char *via, GArray *places,
                     GError **error)
{
    TablespacePlace place = { .via = via };
    const BaseTablespace *one = read_word(base, word, &place.dir);

    if (!one) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--tablespace-mapping %s: must be OLD=NEW, with OLD the directory or the oid "
                    "of a tablespace of this cluster",
                    word);
        return false;
    }
    if (find_place(places, one->oid)) {
        g_free(place.dir);
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--tablespace-mapping %s: this tablespace is mapped twice", word);
        return false;
    }
    place.oid = one->oid;
    g_array_append_val(places, place);
    return true;
}

static bool all_placed(const ClusterBase *base, const GArray *places, GError **error)
{
    g_autoptr(GString) missing = g_string_new(NULL);

    for (guint i = 0; i < base->tablespaces->len; i++) {
        const BaseTablespace *one = &g_array_index(base->tablespaces, BaseTablespace, i);

        if (one->inside || find_place(places, one->oid))
            continue;
        g_string_append_printf(missing, "%s--tablespace-mapping ", missing->len ? " " : "");
        if (*one->location == '/')
            g_string_append_printf(missing, "%s=NEWDIR", one->location);
        else
            g_string_append_printf(missing, "%u=NEWDIR", one->oid);
    }
    if (missing->len == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "the cluster has tablespaces outside of its data directory; say where they shall "
                "go: %s",
                missing->str);
    return false;
}

/* Is path dir itself, or in it? Both are canonical. */
static bool is_within(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0' || len == 1);
}

static bool apart(const char *a, const char *b, GError **error)
{
    if (!is_within(a, b) && !is_within(b, a))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "%s and %s: one lies in the other; each tablespace and the data directory need a "
                "place of their own",
                a, b);
    return false;
}

static bool all_apart(const GArray *places, const char *pgdata, GError **error)
{
    for (guint i = 0; i < places->len; i++) {
        const char *dir = g_array_index(places, TablespacePlace, i).dir;

        if (!apart(dir, pgdata, error))
            return false;
        for (guint j = 0; j < i; j++)
            if (!apart(dir, g_array_index(places, TablespacePlace, j).dir, error))
                return false;
    }
    return true;
}

bool tablespaces_place(const ClusterBase *base, char *const *words, char *const *via,
                       const char *pgdata, GArray **ret_places, GError **error)
{
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(TablespacePlace));

    g_array_set_clear_func(places, clear_place);
    for (size_t i = 0; words && words[i]; i++)
        if (!add_word(base, words[i], via ? via[i] : NULL, places, error))
            return false;
    if (!all_placed(base, places, error) || !all_apart(places, pgdata, error))
        return false;
    *ret_places = g_steal_pointer(&places);
    return true;
}

/* ---- those that a recovery makes ---- */

bool tablespaces_can_be_made(const Reach *reach, GError **error)
{
    const PgControl *control = &reach->base.control;

    for (guint i = 0; i < reach->made->len; i++) {
        const ReachTablespace *one = &g_array_index(reach->made, ReachTablespace, i);
        g_autofree char *dir = g_strdup_printf("%s/PG_%d_%u", one->location, control->release,
                                               control->catalog_version);
        struct stat st;

        if (lstat(dir, &st) == 0) {
            g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                        "%s: a tablespace lies there, and the server would go on with it: at %s "
                        "the WAL makes tablespace %u in %s, and no mapping leads a recovery "
                        "elsewhere; move that directory away and make an empty one, or choose a "
                        "later base backup or an earlier target",
                        dir, lsn_text(one->lsn).text, one->oid, one->location);
            return false;
        }
        if (errno != ENOENT && errno != ENOTDIR) {
            bs_error_errno(error, errno, "look for a tablespace in %s", dir);
            return false;
        }
    }
    return true;
}
