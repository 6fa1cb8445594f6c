/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/index_table.h"
#include "base/error.h"
#include "base/fs.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC    G_GUINT64_CONSTANT(0x3165646e69737362) // "bssinde1" on most machines
#define MAC_LEN  32
#define BITS_MAX 28
/* Reads and writes of the file; four times more or less makes no difference in bench/micro/index.
 */
#define PIECE_LEN (256u * 1024)

typedef struct {
    uint64_t magic, n_objects, n_packs, n_entries, bits;
    uint8_t mac[MAC_LEN]; // over everything before
} Trailer;

#define MAC_AT offsetof(Trailer, mac)

static size_t starts_len(uint64_t bits)
{
    return (((size_t)1 << bits) + 1) * sizeof(uint32_t);
}

/* Where the parts lie. False: these numbers do not describe len bytes. */
static bool lay_out(IndexTable *table, const uint8_t *image, size_t len, const Trailer *trailer)
{
    uint64_t most = len / sizeof(Id);

    if (trailer->magic != MAGIC || trailer->bits > BITS_MAX || trailer->n_objects > most ||
        trailer->n_packs > most || trailer->n_entries > most)
        return false;
    table->n_objects = trailer->n_objects;
    table->n_packs = trailer->n_packs;
    table->n_entries = trailer->n_entries;
    table->bits = (unsigned)trailer->bits;
    table->objects = (const Id *)image;
    table->packs = table->objects + table->n_objects;
    table->entries = (const IndexEntry *)(const void *)(table->packs + table->n_packs);
    table->starts = (const uint32_t *)(const void *)(table->entries + table->n_entries);
    return (table->n_objects + table->n_packs) * sizeof(Id) +
               table->n_entries * sizeof(IndexEntry) + starts_len(table->bits) + sizeof(Trailer) ==
           len;
}

/* ---- the proof ---- */

static EVP_MAC_CTX *mac_new(const uint8_t *key)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("digest", digest, 0),
        OSSL_PARAM_construct_end(),
    };
    int ready = EVP_MAC_init(mac, key, INDEX_TABLE_KEY_LEN, params);

    g_assert(ready);
    EVP_MAC_free(hmac);
    return mac;
}

static void mac_update(EVP_MAC_CTX *mac, const void *data, size_t len)
{
    int done = EVP_MAC_update(mac, data, len);

    g_assert(done);
}

static void mac_final(EVP_MAC_CTX *mac, uint8_t out[MAC_LEN])
{
    size_t len = 0;
    int done = EVP_MAC_final(mac, out, &len, MAC_LEN);

    g_assert(done && len == MAC_LEN);
}

/* Reads instead of looking into the mapping: a bad sector is an error here and a SIGBUS there. */
static bool mac_of_file(int fd, uint64_t len, const uint8_t *key, uint8_t out[MAC_LEN])
{
    g_autofree uint8_t *piece = g_malloc(PIECE_LEN);
    EVP_MAC_CTX *mac = mac_new(key);
    bool good = true;

    for (uint64_t at = 0; good && at < len;) {
        size_t want = (size_t)MIN(len - at, PIECE_LEN);
        size_t got = 0;

        good = fs_pread_full(fd, piece, want, at, &got, "index cache", NULL) && got == want;
        mac_update(mac, piece, got);
        at += got;
    }
    mac_final(mac, out);
    EVP_MAC_CTX_free(mac);
    return good;
}

static IndexTable *map_file(int fd, const Trailer *trailer, size_t len)
{
    g_autoptr(IndexTable) table = g_new0(IndexTable, 1);
    void *map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);

    if (map == MAP_FAILED)
        return NULL;
    table->map = map;
    table->map_len = len;
    return lay_out(table, map, len, trailer) ? g_steal_pointer(&table) : NULL;
}

IndexTable *index_table_open(int fd, const uint8_t key[INDEX_TABLE_KEY_LEN])
{
    uint8_t mac[MAC_LEN];
    Trailer trailer;
    struct stat stat;
    size_t len, got;

    if (fstat(fd, &stat) != 0 || stat.st_size < (off_t)sizeof(Trailer))
        return NULL;
    len = (size_t)stat.st_size;
    if (!fs_pread_full(fd, &trailer, sizeof(trailer), len - sizeof(trailer), &got, "index cache",
                       NULL) ||
        got != sizeof(trailer) || !mac_of_file(fd, len - MAC_LEN, key, mac) ||
        CRYPTO_memcmp(mac, trailer.mac, MAC_LEN) != 0)
        return NULL;
    return map_file(fd, &trailer, len);
}

void index_table_free(IndexTable *table)
{
    if (!table)
        return;
    if (table->map)
        (void)munmap(table->map, table->map_len);
    g_free(table);
}

/* ---- looking up ---- */

/* The first 64 bits of an id order nearly all of them. */
static inline uint64_t head_of(const Id *id)
{
    uint64_t head;

    memcpy(&head, id->bytes, sizeof(head));
    return GUINT64_FROM_BE(head);
}

static size_t start_of(unsigned bits, const Id *id)
{
    return (size_t)(head_of(id) >> (63 - bits) >> 1);
}

bool index_table_is(const IndexTable *table, size_t at, BlobType type, const Id *id)
{
    return at < table->n_entries && index_entry_type(&table->entries[at]) == type &&
           id_equal(&table->entries[at].id, id);
}

static bool is_before(const IndexEntry *entry, BlobType type, const Id *id)
{
    int order = id_compare(&entry->id, id);

    return order < 0 || (order == 0 && index_entry_type(entry) < type);
}

size_t index_table_find(const IndexTable *table, BlobType type, const Id *id)
{
    uint64_t head = head_of(id);
    size_t start = start_of(table->bits, id);
    size_t low = table->starts[start];
    size_t high = table->starts[start + 1];
    size_t end = high;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const IndexEntry *entry = &table->entries[middle];
        uint64_t entry_head = head_of(&entry->id);

        if (entry_head < head || (entry_head == head && is_before(entry, type, id)))
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && index_table_is(table, low, type, id) ? low : SIZE_MAX;
}

/* ---- making one ---- */

struct IndexWriter {
    IndexContents contents;
    int fd;
    EVP_MAC_CTX *mac; // with a file
    uint8_t *bytes;   // with a file a piece to be written, else the image
    size_t len, room; // of bytes
    uint64_t written; // to the file
    uint32_t *starts;
    size_t n_starts; // known so far
    unsigned bits;
    size_t n_entries;
    GError *failure; // the first one
};

/* So many that a start has 4 to 7 entries. Measured with bench/micro/index: twice as many entries
 * take a quarter more time to search, half as many save a tenth for another half byte a blob. */
static unsigned bits_for(size_t n_entries)
{
    unsigned bits = n_entries < 8 ? 0 : g_bit_storage(n_entries) - 3;

    return MIN(bits, BITS_MAX);
}

static void open_memory(IndexWriter *writer)
{
    const IndexContents *contents = &writer->contents;
    size_t size = (contents->n_objects + contents->n_packs) * sizeof(Id) +
                  contents->max_entries * sizeof(IndexEntry) + starts_len(writer->bits) +
                  sizeof(Trailer);
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED) {
        bs_error_errno(&writer->failure, errno, "memory for the index");
        return;
    }
    writer->bytes = map;
    writer->room = size;
}

static void flush(IndexWriter *writer)
{
    if (!writer->failure &&
        fs_write_all(writer->fd, writer->bytes, writer->len, "index cache", &writer->failure))
        mac_update(writer->mac, writer->bytes, writer->len);
    writer->written += writer->len;
    writer->len = 0;
}

static void put(IndexWriter *writer, const void *data, size_t len)
{
    const uint8_t *from = data;

    while (len > 0 && !writer->failure) {
        size_t some = MIN(len, writer->room - writer->len);

        memcpy(writer->bytes + writer->len, from, some);
        writer->len += some;
        from += some;
        len -= some;
        if (writer->fd >= 0 && writer->len == writer->room)
            flush(writer);
    }
}

IndexWriter *index_writer_new(int fd, const uint8_t *key, const IndexContents *contents)
{
    IndexWriter *writer = g_new0(IndexWriter, 1);

    writer->contents = *contents;
    writer->fd = fd;
    writer->bits = bits_for(contents->max_entries);
    writer->starts = g_new(uint32_t, ((size_t)1 << writer->bits) + 1);
    if (contents->max_entries > UINT32_MAX) {
        g_set_error(&writer->failure, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "index of %zu blobs is too large", contents->max_entries);
    } else if (fd >= 0) {
        writer->mac = mac_new(key);
        writer->bytes = g_malloc(PIECE_LEN);
        writer->room = PIECE_LEN;
    } else {
        open_memory(writer);
    }
    put(writer, contents->objects, contents->n_objects * sizeof(Id));
    put(writer, contents->packs, contents->n_packs * sizeof(Id));
    return writer;
}

void index_writer_free(IndexWriter *writer)
{
    if (!writer)
        return;
    if (writer->fd >= 0)
        g_free(writer->bytes);
    else if (writer->bytes)
        (void)munmap(writer->bytes, writer->room);
    EVP_MAC_CTX_free(writer->mac);
    g_free(writer->starts);
    g_clear_error(&writer->failure);
    g_free(writer);
}

static void fill_starts(IndexWriter *writer, size_t up_to)
{
    while (writer->n_starts <= up_to)
        writer->starts[writer->n_starts++] = (uint32_t)writer->n_entries;
}

void index_writer_add(IndexWriter *writer, const IndexEntry *entry)
{
    g_assert(writer->n_entries < writer->contents.max_entries);
    fill_starts(writer, start_of(writer->bits, &entry->id));
    put(writer, entry, sizeof(*entry));
    writer->n_entries++;
}

static IndexTable *finish_file(IndexWriter *writer, Trailer *trailer)
{
    IndexTable *table;

    put(writer, trailer, MAC_AT);
    flush(writer);
    mac_final(writer->mac, trailer->mac);
    put(writer, trailer->mac, MAC_LEN);
    flush(writer);
    if (writer->failure)
        return NULL;
    table = map_file(writer->fd, trailer, (size_t)writer->written);
    if (!table)
        bs_error_errno(&writer->failure, errno, "map the index cache");
    return table;
}

static IndexTable *finish_memory(IndexWriter *writer, const Trailer *trailer)
{
    IndexTable *table;
    bool fits;

    put(writer, trailer, sizeof(*trailer));
    if (writer->failure)
        return NULL;
    table = g_new0(IndexTable, 1);
    table->map = g_steal_pointer(&writer->bytes);
    table->map_len = writer->room;
    fits = lay_out(table, table->map, writer->len, trailer);
    g_assert(fits);
    return table;
}

IndexTable *index_writer_finish(IndexWriter *writer, GError **error)
{
    Trailer trailer = {
        .magic = MAGIC,
        .n_objects = writer->contents.n_objects,
        .n_packs = writer->contents.n_packs,
        .n_entries = writer->n_entries,
        .bits = writer->bits,
    };
    IndexTable *table;

    fill_starts(writer, (size_t)1 << writer->bits);
    put(writer, writer->starts, starts_len(writer->bits));
    if (writer->failure)
        table = NULL;
    else if (writer->fd >= 0)
        table = finish_file(writer, &trailer);
    else
        table = finish_memory(writer, &trailer);
    if (!table)
        g_propagate_error(error, g_steal_pointer(&writer->failure));
    return table;
}
