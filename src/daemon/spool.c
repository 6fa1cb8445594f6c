/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/spool.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ITEM_MAX     ((size_t)1024 * 1024)
#define WAIT_FIRST_S 30
#define WAIT_MAX_S   3600
#define SUFFIX       ".json"
#define NUMBER_LEN   12
#define ID_TEXT_LEN  32

struct Spool {
    char *dir;
    GPtrArray *items; /* of SpoolItem, in order */
    uint64_t last;    /* number */
};

static void item_free(gpointer pointer)
{
    SpoolItem *item = pointer;

    json_decref(item->event);
    json_decref(item->state);
    g_free(item->name);
    g_free(item->incident);
    g_free(item);
}

void spool_free(Spool *spool)
{
    if (!spool)
        return;
    g_ptr_array_unref(spool->items);
    g_free(spool->dir);
    g_free(spool);
}

unsigned spool_n(const Spool *spool)
{
    return spool->items->len;
}

static int by_name(gconstpointer a, gconstpointer b)
{
    const SpoolItem *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

static char *path_of(const Spool *spool, const SpoolItem *item)
{
    return g_build_filename(spool->dir, item->name, NULL);
}

/* "000000000017-<id>.json"; false: it is none of ours. */
static bool parse_name(const char *name, uint64_t *ret_number, char **ret_id)
{
    if (strlen(name) != NUMBER_LEN + 1 + ID_TEXT_LEN + strlen(SUFFIX) || name[NUMBER_LEN] != '-' ||
        strspn(name, "0123456789") != NUMBER_LEN ||
        strspn(name + NUMBER_LEN + 1, "0123456789abcdef") != ID_TEXT_LEN)
        return false;
    *ret_number = g_ascii_strtoull(name, NULL, 10);
    *ret_id = g_strndup(name + NUMBER_LEN + 1, ID_TEXT_LEN);
    return true;
}

/* ---- files ---- */

/* Takes both references. */
static SpoolItem *item_new(const char *name, json_t *event, json_t *state)
{
    SpoolItem *item = g_new0(SpoolItem, 1);

    item->name = g_strdup(name);
    item->event = event;
    item->state = state;
    if (event_kind(event) & EVENT_INCIDENT)
        item->incident = event_incident_key(event);
    return item;
}

static SpoolItem *item_decode(const char *name, const char *id, GBytes *bytes)
{
    SpoolItem *item;
    json_t *json = json_loadb(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), 0, NULL);
    json_t *event = json_object_get(json, "event"), *state = json_object_get(json, "state");

    if (!json_is_object(event) || !json_is_object(state) || event_kind(event) == 0 ||
        strcmp(event_text(event, "id"), id) != 0) {
        json_decref(json);
        return NULL;
    }
    item = item_new(name, json_incref(event), json_incref(state));
    item->kept_at = json_integer_value(json_object_get(json, "kept_at"));
    item->next_at = json_integer_value(json_object_get(json, "next_at"));
    item->attempts = (unsigned)json_integer_value(json_object_get(json, "attempts"));
    json_decref(json);
    return item;
}

static bool item_save(const Spool *spool, const SpoolItem *item, GError **error)
{
    g_autofree char *path = path_of(spool, item);
    json_t *json = json_pack("{s:I, s:I, s:i, s:O, s:O}", "kept_at", (json_int_t)item->kept_at,
                             "next_at", (json_int_t)item->next_at, "attempts", (int)item->attempts,
                             "event", item->event, "state", item->state);
    g_autofree char *text = json_dumps(json, JSON_COMPACT);

    json_decref(json);
    return fs_write_durable(path, text, strlen(text), 0600, FS_REPLACE, error);
}

/* Not removed: somebody may want to know what was in it. */
static void set_aside(const char *path, const char *why)
{
    g_autofree char *aside = g_strconcat(path, ".bad", NULL);

    (void)rename(path, aside); // else it is told again at the next start
    log_warn("notification cannot be read", "file", path, "error", why, NULL);
}

static void load_item(Spool *spool, const char *name)
{
    g_autofree char *path = g_build_filename(spool->dir, name, NULL);
    g_autofree char *id = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = NULL;
    SpoolItem *item = NULL;
    uint64_t number = 0;

    if (!fs_read_file(path, ITEM_MAX, &bytes, &error)) {
        set_aside(path, error->message);
        return;
    }
    if (parse_name(name, &number, &id))
        item = item_decode(name, id, bytes);
    spool->last = MAX(spool->last, number);
    if (item)
        g_ptr_array_add(spool->items, item);
    else
        set_aside(path, "it is no notification of ours");
}

static bool load(Spool *spool, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(spool->dir, 0, NULL);
    const char *name;

    if (!dir) {
        bs_error_errno(error, errno, "opening %s", spool->dir);
        return false;
    }
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(spool->dir, name, NULL);

        if (strstr(name, SUFFIX "-tmp-")) // base/fs.h: never became the file
            (void)remove(path);
        else if (g_str_has_suffix(name, SUFFIX))
            load_item(spool, name);
    }
    g_ptr_array_sort(spool->items, by_name);
    return true;
}

bool spool_open(const char *dir, Spool **ret_spool, GError **error)
{
    g_autoptr(Spool) spool = g_new0(Spool, 1);
    g_autofree char *parent = g_path_get_dirname(dir);

    spool->dir = g_strdup(dir);
    spool->items = g_ptr_array_new_with_free_func(item_free);
    if (!fs_make_dirs(dir, 0700, error) || !fs_sync_dir(parent, error) || !load(spool, error))
        return false;
    *ret_spool = g_steal_pointer(&spool);
    return true;
}

/* ---- in and out ---- */

static SpoolItem *find(const Spool *spool, const char *id)
{
    for (guint i = 0; i < spool->items->len; i++) {
        SpoolItem *item = g_ptr_array_index(spool->items, i);

        if (strcmp(event_text(item->event, "id"), id) == 0)
            return item;
    }
    return NULL;
}

/* The disk is for backups: a channel that is away for weeks must not fill it. */
static bool make_room(Spool *spool, GError **error)
{
    for (guint i = 0; spool->items->len >= SPOOL_MAX && i < spool->items->len;) {
        SpoolItem *oldest = g_ptr_array_index(spool->items, i);

        if (oldest->held) {
            i++;
            continue;
        }
        log_warn("notification dropped, the queue is full", "queue", spool->dir, "title",
                 event_text(oldest->event, "title"), NULL);
        if (!spool_remove(spool, oldest, error))
            return false;
    }
    return true;
}

bool spool_add(Spool *spool, const json_t *event, int64_t now, GError **error)
{
    const char *id = event_text(event, "id");
    g_autofree char *name = NULL;
    SpoolItem *item;

    g_return_val_if_fail(strlen(id) == ID_TEXT_LEN, false);
    if (find(spool, id))
        return true;
    if (!make_room(spool, error))
        return false;
    name = g_strdup_printf("%0*" G_GUINT64_FORMAT "-%s" SUFFIX, NUMBER_LEN, ++spool->last, id);
    item = item_new(name, json_deep_copy(event), json_object());
    item->kept_at = item->next_at = now;
    if (!item_save(spool, item, error)) {
        item_free(item);
        return false;
    }
    g_ptr_array_add(spool->items, item);
    return true;
}

/* Another of the same incident goes first. */
static bool is_blocked(const Spool *spool, guint place)
{
    const SpoolItem *item = g_ptr_array_index(spool->items, place);

    for (guint i = 0; item->incident && i < place; i++) {
        const SpoolItem *before = g_ptr_array_index(spool->items, i);

        if (before->incident && strcmp(before->incident, item->incident) == 0)
            return true;
    }
    return false;
}

SpoolItem *spool_due(Spool *spool, int64_t now)
{
    for (guint i = 0; i < spool->items->len; i++) {
        SpoolItem *item = g_ptr_array_index(spool->items, i);

        // a clock that was set back makes nobody wait for longer than the longest wait
        if ((item->next_at <= now || item->next_at > now + 2 * WAIT_MAX_S) && !is_blocked(spool, i))
            return item;
    }
    return NULL;
}

int64_t spool_next(const Spool *spool)
{
    int64_t next = INT64_MAX;

    for (guint i = 0; i < spool->items->len; i++) {
        const SpoolItem *item = g_ptr_array_index(spool->items, i);

        if (item->next_at < next && !is_blocked(spool, i))
            next = item->next_at;
    }
    return next;
}

int64_t spool_wait(unsigned attempts, uint32_t random)
{
    int64_t wait = WAIT_FIRST_S;

    for (unsigned i = 1; i < attempts && wait < WAIT_MAX_S; i++)
        wait *= 2;
    wait = MIN(wait, WAIT_MAX_S);
    return wait * 4 / 5 + (int64_t)(random % (uint32_t)(wait * 2 / 5 + 1));
}

bool spool_again(Spool *spool, SpoolItem *item, int64_t now, int64_t wait_s, GError **error)
{
    uint32_t random;

    random_bytes(&random, sizeof random);
    item->attempts++;
    item->next_at = now + MAX(spool_wait(item->attempts, random), wait_s);
    return item_save(spool, item, error);
}

bool spool_remove(Spool *spool, SpoolItem *item, GError **error)
{
    g_autofree char *path = path_of(spool, item);

    if (remove(path) != 0 && errno != ENOENT) {
        bs_error_errno(error, errno, "removing %s", path);
        return false;
    }
    (void)g_ptr_array_remove(spool->items, item);
    return fs_sync_dir(spool->dir, error);
}
