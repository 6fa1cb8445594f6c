/* SPDX-License-Identifier: Apache-2.0 */
#include "source/rdb.h"

#include "base/error.h"
#include "codec/crc64.h"
#include "source/rdbtypes.h"
#include "source/rdbwalking.h"

#include <string.h>

#define MAGIC_LEN     9
#define DATABASES_MAX 65536
#define AUX_MAX       64   /* texts that are kept */
#define AUX_LEN       4096 /* of one */
#define MODULES_MAX   256

G_STATIC_ASSERT(G_N_ELEMENTS(((RdbDatabase *)NULL)->types) == RDB_TYPES);

static int by_number(gconstpointer a, gconstpointer b, gpointer comparisons)
{
    guint first = GPOINTER_TO_UINT(a), second = GPOINTER_TO_UINT(b);

    ++*(uint64_t *)comparisons;
    return (first > second) - (first < second);
}

RdbWalker *rdb_walker_new(const RdbVisitor *visitor)
{
    static const RdbVisitor none = { 0 };
    RdbWalker *walker = g_new0(RdbWalker, 1);

    walker->visitor = visitor ? visitor : &none;
    walker->need = MAGIC_LEN;
    walker->text = g_byte_array_new();
    walker->databases = g_array_new(FALSE, TRUE, sizeof(RdbDatabase));
    walker->places = g_tree_new_with_data(by_number, &walker->comparisons);
    walker->aux = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    walker->modules = g_ptr_array_new_with_free_func(g_free);
    walker->key = (RdbKey){ .expire_ms = -1, .idle_s = -1, .frequency = -1 };
    return walker;
}

void rdb_walker_free(RdbWalker *walker)
{
    if (!walker)
        return;
    g_byte_array_unref(walker->text);
    g_tree_unref(walker->places);
    g_array_unref(walker->databases);
    g_hash_table_unref(walker->aux);
    g_ptr_array_unref(walker->modules);
    g_free(walker->aux_name);
    g_free(walker);
}

bool rdb_corrupt(const RdbWalker *walker, GError **error, const char *what)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "not a whole Redis database file: %s (at byte %" G_GUINT64_FORMAT ")", what,
                walker->offset);
    return false;
}

/* ---- what was seen ---- */

/* A file may choose another database with every third byte, in any order and of any numbers: a list
 * that is searched from its begin, or a hash table whose collisions the file can choose, would take
 * hours for it. */
bool rdb_choose_database(RdbWalker *walker, uint64_t number, GError **error)
{
    RdbDatabase fresh = { .number = (uint32_t)number };
    guint place; // from 1 on

    if (number > UINT32_MAX)
        return rdb_corrupt(walker, error, "the number of a database is too large");
    walker->key.database = (uint32_t)number;
    walker->database = NULL;
    place = GPOINTER_TO_UINT(g_tree_lookup(walker->places, GUINT_TO_POINTER(fresh.number)));
    if (place == 0) {
        if (walker->databases->len == DATABASES_MAX)
            return rdb_corrupt(walker, error, "too many databases");
        g_array_append_val(walker->databases, fresh);
        place = walker->databases->len;
        g_tree_insert(walker->places, GUINT_TO_POINTER(fresh.number), GUINT_TO_POINTER(place));
    }
    walker->database = &g_array_index(walker->databases, RdbDatabase, place - 1);
    return true;
}

void rdb_add_module(RdbWalker *walker)
{
    char name[RDB_MODULE_NAME];

    rdb_module_name(walker->module, name);
    for (guint i = 0; i < walker->modules->len; i++)
        if (strcmp(name, walker->modules->pdata[i]) == 0)
            return;
    if (walker->modules->len < MODULES_MAX)
        g_ptr_array_add(walker->modules, g_strdup(name));
}

void rdb_keep_aux(RdbWalker *walker)
{
    if (!walker->aux_name) {
        walker->aux_name = g_strndup((char *)walker->text->data, MIN(walker->text->len, AUX_LEN));
        return;
    }
    if (g_hash_table_size(walker->aux) < AUX_MAX)
        g_hash_table_replace(
            walker->aux, g_steal_pointer(&walker->aux_name),
            g_strndup((char *)walker->text->data, MIN(walker->text->len, AUX_LEN)));
    g_clear_pointer(&walker->aux_name, g_free);
}

/* ---- bytes ---- */

static bool show(RdbWalker *walker, const uint8_t *data, size_t len, GError **error)
{
    return !walker->in_value || !walker->visitor->value || len == 0 ||
           walker->visitor->value(walker->visitor->user, data, len, error);
}

/* How much of what comes is the bulk's, and where it goes. */
static bool feed_bulk(RdbWalker *walker, const uint8_t *data, size_t len, size_t *ret_n,
                      GError **error)
{
    size_t n = (size_t)MIN(walker->left, len);

    walker->left -= n;
    *ret_n = n;
    if (walker->wanted)
        g_byte_array_append(walker->text, data, (guint)n);
    return show(walker, data, n, error);
}

static bool feed_small(RdbWalker *walker, const uint8_t *data, size_t len, size_t *ret_n,
                       GError **error)
{
    size_t n = MIN(walker->need - walker->have, len);

    memcpy(walker->small + walker->have, data, n);
    walker->have += n;
    *ret_n = n;
    return show(walker, data, n, error);
}

static bool is_waiting(const RdbWalker *walker)
{
    return walker->state == STATE_BULK ? walker->left > 0 : walker->have < walker->need;
}

/* The checksum is over all that comes before it. */
static void sum(RdbWalker *walker, const uint8_t *data, size_t len)
{
    if (walker->state != STATE_CRC)
        walker->crc = crc64(walker->crc, data, len);
}

bool rdb_feed(RdbWalker *walker, const void *data, size_t len, size_t *ret_used, GError **error)
{
    const uint8_t *bytes = data;
    size_t at = 0, summed = 0;

    while (walker->state != STATE_ENDED) {
        RdbState before = walker->state;
        size_t n;

        if (!is_waiting(walker)) {
            if (walker->state == STATE_CODE && walker->small[0] == RDB_EOF) {
                sum(walker, bytes + summed, at - summed);
                summed = at;
            }
            if (!rdb_step(walker, error))
                return false;
            continue;
        }
        if (at == len)
            break;
        if (!(before == STATE_BULK ? feed_bulk : feed_small)(walker, bytes + at, len - at, &n,
                                                             error))
            return false;
        at += n;
        walker->offset += n;
    }
    if (walker->state != STATE_ENDED)
        sum(walker, bytes + summed, at - summed);
    *ret_used = at;
    return true;
}

bool rdb_ended(const RdbWalker *walker)
{
    return walker->state == STATE_ENDED;
}

bool rdb_finish(const RdbWalker *walker, GError **error)
{
    return rdb_ended(walker) || rdb_corrupt(walker, error, "it ends early");
}

/* ---- answers ---- */

unsigned rdb_version(const RdbWalker *walker)
{
    return walker->version;
}

uint64_t rdb_size(const RdbWalker *walker)
{
    return walker->offset;
}

bool rdb_has_checksum(const RdbWalker *walker)
{
    return walker->checksum;
}

const GArray *rdb_databases(const RdbWalker *walker)
{
    return walker->databases;
}

uint64_t rdb_n_functions(const RdbWalker *walker)
{
    return walker->n_functions;
}

const char *rdb_aux(const RdbWalker *walker, const char *name)
{
    return g_hash_table_lookup(walker->aux, name);
}

const GPtrArray *rdb_modules(const RdbWalker *walker)
{
    return walker->modules;
}
