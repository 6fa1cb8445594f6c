/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/index.h"
#include "repo/index_claims.h"
#include "repo/index_load.h"
#include "repo/index_table.h"
#include <stdlib.h>

struct Index {
    IndexTable *table;
    GArray *objects; // of Id
    Claims *claims;
};

static Index *index_new(IndexTable *table)
{
    Index *index = g_new0(Index, 1);

    index->table = table;
    index->objects = g_array_new(false, false, sizeof(Id));
    if (table->n_objects)
        g_array_append_vals(index->objects, table->objects, (guint)table->n_objects);
    index->claims = claims_new();
    return index;
}

bool index_load(Repo *repo, const Cancel *cancel, Index **ret_index, GError **error)
{
    IndexTable *table = NULL;

    if (!index_table_load(repo, cancel, &table, error))
        return false;
    *ret_index = index_new(table);
    return true;
}

bool index_load_full(Repo *repo, IndexBad bad, void *user, const Cancel *cancel, Index **ret_index,
                     GError **error)
{
    IndexTable *table = NULL;

    if (!index_table_load_full(repo, bad, user, cancel, &table, error))
        return false;
    *ret_index = index_new(table);
    return true;
}

Index *index_new_empty(void)
{
    g_autoptr(IndexWriter) writer = index_writer_new(-1, NULL, &(IndexContents){ 0 });

    return index_new(index_writer_finish(writer, NULL));
}

void index_free(Index *index)
{
    if (!index)
        return;
    g_clear_pointer(&index->table, index_table_free);
    g_clear_pointer(&index->objects, g_array_unref);
    g_clear_pointer(&index->claims, claims_free);
    g_free(index);
}

/* ---- looking up ---- */

static BlobPlace place_of(const IndexTable *table, size_t at)
{
    const IndexEntry *entry = &table->entries[at];

    return (BlobPlace){
        .pack = table->packs[index_entry_pack(entry)],
        .offset = entry->offset,
        .length = entry->length,
        .plain_len = entry->plain_len,
    };
}

bool index_find(const Index *index, BlobType type, const Id *id, BlobPlace *ret_place)
{
    size_t at = index_table_find(index->table, type, id);

    if (at == SIZE_MAX)
        return claims_find(index->claims, type, id, ret_place);
    *ret_place = place_of(index->table, at);
    return true;
}

size_t index_find_all(const Index *index, BlobType type, const Id *id, BlobPlace *places,
                      size_t max)
{
    size_t at = index_table_find(index->table, type, id);
    size_t n = 0;
    BlobPlace added;

    for (; index_table_is(index->table, at, type, id); at++, n++)
        if (n < max)
            places[n] = place_of(index->table, at);
    if (claims_find(index->claims, type, id, &added)) {
        if (n < max)
            places[n] = added;
        n++;
    }
    return n;
}

bool index_claim(Index *index, BlobType type, const Id *id)
{
    return index_table_find(index->table, type, id) == SIZE_MAX &&
           claims_take(index->claims, type, id);
}

void index_add(Index *index, const Id *pack, const PackBlob *blobs, size_t n)
{
    claims_add(index->claims, pack, blobs, n);
}

uint64_t index_n_blobs(const Index *index)
{
    return index->table->n_entries;
}

uint64_t index_n_packs(const Index *index)
{
    return index->table->n_packs;
}

const GArray *index_objects(const Index *index)
{
    return index->objects;
}

size_t index_number(const Index *index, BlobType type, const Id *id)
{
    return index_table_find(index->table, type, id);
}

size_t index_n_ids(const Index *index)
{
    return index->table->n_entries;
}

/* ---- pack by pack ---- */

/* The numbers of all entries, grouped by pack: those of pack p stand at starts[p] .. starts[p + 1].
 */
static uint32_t *group_by_pack(const IndexTable *table, uint32_t *starts)
{
    uint32_t *order = g_new(uint32_t, table->n_entries);

    for (size_t i = 0; i < table->n_entries; i++)
        starts[index_entry_pack(&table->entries[i])]++;
    for (size_t pack = 1; pack <= table->n_packs; pack++)
        starts[pack] += starts[pack - 1];
    // so far each is the end of its group; filling downwards moves it to the beginning
    for (size_t i = table->n_entries; i-- > 0;)
        order[--starts[index_entry_pack(&table->entries[i])]] = (uint32_t)i;
    return order;
}

static int compare_offsets(const void *a, const void *b)
{
    const PackBlob *x = a;
    const PackBlob *y = b;

    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

bool index_each_pack(const Index *index, IndexEachPack each, void *user, GError **error)
{
    const IndexTable *table = index->table;
    g_autofree uint32_t *starts = g_new0(uint32_t, table->n_packs + 1);
    g_autofree uint32_t *order = group_by_pack(table, starts);
    g_autoptr(GArray) blobs = g_array_new(false, false, sizeof(PackBlob));

    for (size_t pack = 0; pack < table->n_packs; pack++) {
        g_array_set_size(blobs, 0);
        for (uint32_t i = starts[pack]; i < starts[pack + 1]; i++) {
            const IndexEntry *entry = &table->entries[order[i]];
            PackBlob blob = {
                .id = entry->id,
                .type = index_entry_type(entry),
                .offset = entry->offset,
                .length = entry->length,
                .plain_len = entry->plain_len,
            };

            g_array_append_val(blobs, blob);
        }
        qsort(blobs->data, blobs->len, sizeof(PackBlob), compare_offsets);
        if (!each(&table->packs[pack], (const PackBlob *)(void *)blobs->data, blobs->len, user,
                  error))
            return false;
    }
    return true;
}
