/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/walobject.h"

#include "base/error.h"
#include "codec/compress.h"
#include "codec/hash.h"
#include "repo/arrival.h"

#include <string.h>

#define WAL_DIR       "wal/"
#define ENCODING_ZSTD 0x02
#define TIMELINE_LEN  8u
#define TEXT_MAX      (WAL_HEADER_MAX + (size_t)WAL_CONTENT_MAX)

/* ---- names ---- */

static bool parse_timeline(const char *text, uint32_t *ret_timeline)
{
    uint32_t timeline = 0;

    for (size_t i = 0; i < TIMELINE_LEN; i++) {
        if (!g_ascii_isxdigit(text[i]) || g_ascii_islower(text[i]))
            return false;
        timeline = timeline << 4 | (uint32_t)g_ascii_xdigit_value(text[i]);
    }
    *ret_timeline = timeline;
    return timeline != 0;
}

static bool is_name(const char *name)
{
    size_t len = strlen(name);
    uint32_t timeline;

    if (len <= TIMELINE_LEN || len > WAL_OBJECT_NAME_MAX || !parse_timeline(name, &timeline))
        return false;
    for (size_t i = TIMELINE_LEN; i < len; i++)
        if (!g_ascii_isalnum(name[i]) && name[i] != '.')
            return false;
    return true;
}

bool wal_object_init(WalObject *object, uint64_t system_id, const char *name, GError **error)
{
    if (system_id == 0 || !is_name(name)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: not the name of a WAL file", name);
        return false;
    }
    *object = (WalObject){ .system_id = system_id };
    memcpy(object->name, name, strlen(name));
    return true;
}

uint32_t wal_object_timeline(const WalObject *object)
{
    uint32_t timeline = 0;

    (void)parse_timeline(object->name, &timeline); // wal_object_init() has seen to it
    return timeline;
}

WalKey wal_object_key(const WalObject *object)
{
    WalKey key;

    (void)g_snprintf(key.text, sizeof key.text, WAL_DIR "%" G_GUINT64_FORMAT "/%.8s/%s",
                     object->system_id, object->name, object->name);
    return key;
}

bool wal_object_parse_key(const char *key, WalObject *ret_object)
{
    const char *name = strrchr(key, '/');
    guint64 system_id;
    WalObject object;
    char *end;

    if (!name || !g_str_has_prefix(key, WAL_DIR))
        return false;
    system_id = g_ascii_strtoull(key + strlen(WAL_DIR), &end, 10);
    // one spelling only: what the object would be called is what it is called
    if (*end != '/' || !wal_object_init(&object, system_id, name + 1, NULL) ||
        strcmp(wal_object_key(&object).text, key) != 0)
        return false;
    *ret_object = object;
    return true;
}

/* ---- sealing ---- */

/* What is sealed: the encoding, then one zstd frame of header and content. */
static GByteArray *compress_text(const Repo *repo, const char *header, const void *content,
                                 size_t len)
{
    const size_t header_len = strlen(header), room = compress_bound(header_len + len);
    g_autoptr(Compressor) compressor = compressor_new(MAX(repo_data_level(repo), 1));
    g_autofree uint8_t *text = g_malloc(header_len + len);
    GByteArray *plain = g_byte_array_sized_new((guint)(1 + room));
    size_t frame;

    memcpy(text, header, header_len);
    memcpy(text + header_len, content, len);
    g_byte_array_set_size(plain, (guint)(1 + room));
    plain->data[0] = ENCODING_ZSTD;
    frame = compress_into(compressor, text, header_len + len, plain->data + 1, room);
    g_assert(frame > 0);
    return g_byte_array_set_size(plain, (guint)(1 + frame));
}

static GBytes *seal_plain(const Repo *repo, const GByteArray *plain)
{
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(repo));
    uint8_t *sealed = g_malloc(plain->len + SEAL_OVERHEAD);

    seal(sealer, plain->data, plain->len, sealed);
    return g_bytes_new_take(sealed, plain->len + SEAL_OVERHEAD);
}

/* Memory errors and a broken library otherwise become objects that look good. */
static bool verify(Repo *repo, const WalObject *object, GBytes *stored, GError **error)
{
    g_autoptr(GBytes) content = NULL;
    GBytes *copy = g_bytes_new(g_bytes_get_data(stored, NULL), g_bytes_get_size(stored));

    if (wal_object_open(repo, object, copy, &content, error))
        return true; // its SHA-256 is that of what was given
    g_prefix_error(error, "it was sealed wrongly, check the memory of this machine: ");
    return false;
}

bool wal_object_seal(Repo *repo, const WalObject *object, const void *content, size_t len,
                     GBytes **ret_stored, GError **error)
{
    WalHeader header = { .object = *object, .len = len };
    g_autoptr(GByteArray) plain = NULL;
    g_autoptr(GBytes) stored = NULL;
    g_autofree char *text = NULL;

    g_assert(len <= WAL_CONTENT_MAX);
    hash_bytes(content, len, &header.sha256);
    text = wal_header_encode(&header);
    plain = compress_text(repo, text, content, len);
    stored = seal_plain(repo, plain);
    if (!repo_options(repo)->no_verify && !verify(repo, object, stored, error))
        return false;
    *ret_stored = g_steal_pointer(&stored);
    return true;
}

/* ---- opening ---- */

/* Takes stored. Header and content. */
static bool open_text(Repo *repo, GBytes *stored, GBytes **ret_text, GError **error)
{
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(repo));
    g_autoptr(Decompressor) decompressor = decompressor_new();
    size_t len;
    g_autofree uint8_t *sealed = g_bytes_unref_to_data(stored, &len);
    GByteArray *text;
    uint8_t *plain;

    if (len < SEAL_OVERHEAD) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "only %zu bytes long", len);
        return false;
    }
    plain = sealed + SEAL_OVERHEAD / 2; // behind the IV
    len -= SEAL_OVERHEAD;
    if (!unseal(sealer, sealed, len + SEAL_OVERHEAD, plain, error))
        return false;
    if (len == 0 || plain[0] != ENCODING_ZSTD) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "unknown encoding");
        return false;
    }
    if (!decompress_bounded(decompressor, plain + 1, len - 1, TEXT_MAX, &text, error))
        return false;
    *ret_text = g_byte_array_free_to_bytes(text);
    return true;
}

static bool is_same_object(const WalObject *a, const WalObject *b)
{
    return a->system_id == b->system_id && strcmp(a->name, b->name) == 0;
}

static bool prove(const WalObject *object, const WalHeader *header, const void *content, size_t len,
                  GError **error)
{
    Id sha256;

    if (!is_same_object(&header->object, object)) {
        g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                    "what lies there is %s; objects were renamed or swapped in the store",
                    wal_object_key(&header->object).text);
        return false;
    }
    hash_bytes(content, len, &sha256);
    if (header->len == len && id_equal(&header->sha256, &sha256))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "content of %zu bytes, SHA-256 %s, but the header says %" G_GUINT64_FORMAT
                " bytes, SHA-256 %s",
                len, id_hex(&sha256).text, header->len, id_hex(&header->sha256).text);
    return false;
}

bool wal_object_open(Repo *repo, const WalObject *object, GBytes *stored, GBytes **ret_content,
                     GError **error)
{
    g_autoptr(GBytes) text = NULL;
    size_t len = 0, begin = 0;
    const uint8_t *bytes = NULL;
    WalHeader header;
    bool ok = open_text(repo, stored, &text, error);

    if (ok) {
        bytes = g_bytes_get_data(text, &len);
        ok = wal_header_decode(bytes, len, &header, &begin, error) &&
             prove(object, &header, bytes + begin, len - begin, error);
    }
    if (!ok) {
        g_prefix_error(error, "%s: ", wal_object_key(object).text);
        return false;
    }
    *ret_content = g_bytes_new_from_bytes(text, begin, len - begin);
    return true;
}

bool wal_object_get(Repo *repo, const WalObject *object, GBytes **ret_content, GError **error)
{
    const size_t bound = 1 + compress_bound(TEXT_MAX) + SEAL_OVERHEAD;
    GBytes *stored;

    return store_get_whole(repo_store(repo), wal_object_key(object).text, bound, &stored, error) &&
           wal_object_open(repo, object, stored, ret_content, error);
}

/* ---- storing ---- */

/* The stored bytes of the same content differ each time, because of the IV; so what counts is what
 * is inside. */
static bool compare_with_stored(Repo *repo, const WalObject *object, const void *content,
                                size_t len, GError **error)
{
    g_autoptr(GBytes) there = NULL;
    Id ours, theirs;

    if (!wal_object_get(repo, object, &there, error)) {
        g_prefix_error(error, "it is there already, but cannot be compared: ");
        return false;
    }
    hash_bytes(content, len, &ours);
    hash_bytes(g_bytes_get_data(there, NULL), g_bytes_get_size(there), &theirs);
    if (id_equal(&ours, &theirs))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "%s: it is there already with other content: SHA-256 %s there, %s here; nothing "
                "was replaced. Does a second server, such as a promoted copy, archive into this "
                "repository? Give that one another repository, or archive_mode = off",
                wal_object_key(object).text, id_hex(&theirs).text, id_hex(&ours).text);
    return false;
}

static WalMark mark_of(GBytes *stored)
{
    size_t len;
    const uint8_t *bytes = g_bytes_get_data(stored, &len);
    WalMark mark = { .len = len };

    g_assert(len >= WAL_MARK_LEN);
    memcpy(mark.end, bytes + len - WAL_MARK_LEN, WAL_MARK_LEN);
    return mark;
}

bool wal_object_put(Repo *repo, const WalObject *object, const void *content, size_t len,
                    bool *ret_was_there, WalMark *ret_mark, GError **error)
{
    Store *store = repo_store(repo);
    WalKey key = wal_object_key(object);
    g_autoptr(GError) failure = NULL;
    g_autoptr(GBytes) stored = NULL;
    size_t stored_len;
    const void *bytes;

    if (!wal_object_seal(repo, object, content, len, &stored, error))
        return false;
    bytes = g_bytes_get_data(stored, &stored_len);
    if (store_put(store, key.text, bytes, stored_len, true, &failure)) {
        if (!arrival_prove(store, key.text, stored_len, NULL, error))
            return false;
        *ret_was_there = false;
        if (ret_mark)
            *ret_mark = mark_of(stored);
        return true;
    }
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_EXISTS)) {
        *ret_was_there = true;
        if (ret_mark)
            *ret_mark = (WalMark){ 0 };
        return compare_with_stored(repo, object, content, len, error);
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool wal_object_bears(Repo *repo, const WalObject *object, const WalMark *mark)
{
    uint8_t end[WAL_MARK_LEN];

    return mark->len >= WAL_MARK_LEN &&
           store_get(repo_store(repo), wal_object_key(object).text, mark->len - WAL_MARK_LEN, end,
                     sizeof end, NULL) &&
           memcmp(end, mark->end, sizeof end) == 0;
}

bool wal_object_is_absent(Repo *repo, const WalObject *object)
{
    g_autoptr(GError) failure = NULL;
    uint64_t size;

    return !store_stat(repo_store(repo), wal_object_key(object).text, &size, &failure) &&
           g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND);
}

/* ---- listing ---- */

typedef struct {
    GArray *objects;
    unsigned foreign;
} WalList;

static bool note_object(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    WalList *list = user;
    WalInfo info = { .size = object->size, .modified_at = object->modified_at };

    if (wal_object_parse_key(object->key, &info.object))
        g_array_append_val(list->objects, info);
    else
        list->foreign++;
    return true;
}

static gint compare_infos(gconstpointer a, gconstpointer b)
{
    const WalObject *left = &((const WalInfo *)a)->object, *right = &((const WalInfo *)b)->object;

    if (left->system_id != right->system_id)
        return left->system_id < right->system_id ? -1 : 1;
    return strcmp(left->name, right->name);
}

bool wal_object_list(Repo *repo, uint64_t system_id, uint32_t timeline, GArray **ret_objects,
                     unsigned *ret_foreign, GError **error)
{
    g_autoptr(GArray) objects = g_array_new(FALSE, FALSE, sizeof(WalInfo));
    g_autoptr(GString) prefix = g_string_new(WAL_DIR);
    WalList list = { .objects = objects };

    g_assert(system_id != 0 || timeline == 0);
    if (system_id != 0)
        g_string_append_printf(prefix, "%" G_GUINT64_FORMAT "/", system_id);
    if (timeline != 0)
        g_string_append_printf(prefix, "%08X/", timeline);
    if (!store_list(repo_store(repo), prefix->str, note_object, &list, error))
        return false;
    g_array_sort(objects, compare_infos);
    *ret_objects = g_steal_pointer(&objects);
    if (ret_foreign)
        *ret_foreign = list.foreign;
    return true;
}
