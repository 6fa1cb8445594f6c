/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/keyring.h"

#include "base/error.h"
#include "base/log.h"
#include "base/parallel.h"
#include "codec/hash.h"
#include "repo/file.h"

#define TRIES_MAX 20 /* key derivations; restic's limit, too */

typedef struct {
    Id id;
    KeyFile *keyfile;
    unsigned rank; /* tried in this order */
} Candidate;

enum { RANK_HINTED, RANK_INTACT, RANK_RENAMED };

typedef struct {
    GArray *candidates; /* of Candidate */
    GString *damaged;   /* short ids with ", " between */
    GError *unread;     /* the first failure of the store */
} Keyring;

static void candidate_clear(gpointer pointer)
{
    keyfile_free(((Candidate *)pointer)->keyfile);
}

static void keyring_init(Keyring *ring)
{
    ring->candidates = g_array_new(FALSE, FALSE, sizeof(Candidate));
    g_array_set_clear_func(ring->candidates, candidate_clear);
    ring->damaged = g_string_new(NULL);
    ring->unread = NULL;
}

static void keyring_done(Keyring *ring)
{
    g_array_unref(ring->candidates);
    (void)g_string_free(ring->damaged, TRUE);
    g_clear_error(&ring->unread);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Keyring, keyring_done)

static void pass_over(Keyring *ring, const Id *id, const char *why)
{
    log_debug("key file passed over", "key", id_hex(id).text, "why", why, NULL);
    g_string_append_printf(ring->damaged, "%s%s", ring->damaged->len ? ", " : "",
                           id_short(id).text);
}

static void add(Keyring *ring, const Id *id, GBytes *bytes, const char *hint)
{
    g_autoptr(GError) problem = NULL;
    Candidate candidate = { .id = *id, .rank = RANK_INTACT };
    Id content;

    candidate.keyfile =
        keyfile_decode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &problem);
    if (!candidate.keyfile) {
        pass_over(ring, id, problem->message);
        return;
    }
    hash_bytes(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &content);
    if (!id_equal(&content, id)) {
        candidate.rank = RANK_RENAMED;
        pass_over(ring, id, "content does not match its name");
    } else if (hint && g_str_has_prefix(id_hex(id).text, hint))
        candidate.rank = RANK_HINTED;
    g_array_append_val(ring->candidates, candidate);
}

/* What the store gave for one of them. */
typedef struct {
    GBytes *bytes;
    GError *problem;
} Answer;

typedef struct {
    Store *store;
    const GArray *files; /* of FileInfo */
    Answer *answers;
} Loading;

static void load_one(size_t i, void *user)
{
    Loading *loading = user;
    const Id *id = &g_array_index(loading->files, FileInfo, i).id;
    Answer *answer = &loading->answers[i];

    (void)store_get_whole(loading->store, file_key(FILE_KEY, id).text, KEYFILE_MAX, &answer->bytes,
                          &answer->problem); // take() looks at it
}

static void take(Keyring *ring, const Id *id, Answer *answer, const char *hint)
{
    g_autoptr(GBytes) bytes = answer->bytes;
    g_autoptr(GError) problem = answer->problem;

    if (bytes)
        add(ring, id, bytes, hint);
    else if (g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT))
        pass_over(ring, id, problem->message);
    else if (!ring->unread && !g_error_matches(problem, BS_ERROR, BS_ERROR_NOT_FOUND))
        ring->unread = g_steal_pointer(&problem); // another key may do; NOT_FOUND: just removed
}

static gint compare_candidates(gconstpointer a, gconstpointer b)
{
    const Candidate *x = a, *y = b;

    return x->rank != y->rank ? (x->rank < y->rank ? -1 : 1) : id_compare(&x->id, &y->id);
}

static bool load_all(Keyring *ring, Store *store, const char *hint, GError **error)
{
    g_autoptr(GArray) files = NULL;
    g_autofree Answer *answers = NULL;

    if (!file_list(store, FILE_KEY, &files, NULL, error))
        return false;
    answers = g_new0(Answer, files->len);
    parallel_each(store->connections, files->len, load_one, &(Loading){ store, files, answers });
    for (guint i = 0; i < files->len; i++)
        take(ring, &g_array_index(files, FileInfo, i).id, &answers[i], hint);
    g_array_sort(ring->candidates, compare_candidates);
    return true;
}

static const Candidate *try_all(Keyring *ring, const Secret *password, SealKey *ret_master)
{
    for (guint i = 0; i < MIN(ring->candidates->len, TRIES_MAX); i++) {
        const Candidate *candidate = &g_array_index(ring->candidates, Candidate, i);
        g_autoptr(GError) problem = NULL;

        if (keyfile_open(candidate->keyfile, password, ret_master, &problem))
            return candidate;
        if (!g_error_matches(problem, BS_ERROR, BS_ERROR_PASSWORD))
            pass_over(ring, &candidate->id, problem->message);
    }
    return NULL;
}

/* A renamed one comes last. */
static bool has_sound_key(const Keyring *ring)
{
    return ring->candidates->len > 0 &&
           g_array_index(ring->candidates, Candidate, 0).rank != RANK_RENAMED;
}

static bool fail(Keyring *ring, const Store *store, GError **error)
{
    bool none = !has_sound_key(ring);
    g_autoptr(GString) text =
        g_string_new(none ? "no key found" : "wrong password or no key found");

    if (ring->unread) {
        g_propagate_prefixed_error(error, g_steal_pointer(&ring->unread), "reading key files: ");
        return false;
    }
    if (ring->damaged->len)
        g_string_append_printf(text, "; damaged key files: %s", ring->damaged->str);
    else if (none)
        g_string_append_printf(text, "; %s has no key file: bring back a copy of one",
                               store->location);
    if (ring->candidates->len > TRIES_MAX)
        g_string_append_printf(text, "; tried %d of %u keys: choose one with --key-hint", TRIES_MAX,
                               ring->candidates->len);
    g_set_error_literal(error, BS_ERROR, BS_ERROR_PASSWORD, text->str);
    return false;
}

/* False without an error: it does not open, and others may. */
static bool open_likely(Store *store, const Secret *password, const Id *id, SealKey *ret_master,
                        GError **error)
{
    static const int no_help[] = { BS_ERROR_NOT_FOUND, BS_ERROR_CORRUPT, BS_ERROR_UNSUPPORTED,
                                   BS_ERROR_PASSWORD };
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(KeyFile) keyfile = NULL;
    Id content;

    if (store_get_whole(store, file_key(FILE_KEY, id).text, KEYFILE_MAX, &bytes, &problem)) {
        hash_bytes(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &content);
        if (!id_equal(&content, id))
            return false;
        keyfile = keyfile_decode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &problem);
    }
    if (keyfile && keyfile_open(keyfile, password, ret_master, &problem))
        return true;
    log_debug("not opened by the key of the last time", "key", id_hex(id).text, "why",
              problem->message, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(no_help); i++)
        if (g_error_matches(problem, BS_ERROR, no_help[i]))
            return false;
    g_propagate_prefixed_error(error, g_steal_pointer(&problem), "reading key files: ");
    return false;
}

bool keyring_open(Store *store, const Secret *password, const KeyringWish *wish,
                  SealKey *ret_master, Id *ret_key, GError **error)
{
    g_autoptr(GError) outage = NULL;
    g_auto(Keyring) ring;
    const Candidate *found;

    keyring_init(&ring);
    if (wish->likely && id_parse(wish->likely, ret_key)) {
        if (open_likely(store, password, ret_key, ret_master, &outage))
            return true;
        if (outage) {
            g_propagate_error(error, g_steal_pointer(&outage));
            return false;
        }
    }
    if (!load_all(&ring, store, wish->hint, error))
        return false;
    found = try_all(&ring, password, ret_master);
    if (!found)
        return fail(&ring, store, error);
    *ret_key = found->id;
    return true;
}
