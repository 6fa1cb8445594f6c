/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/treeahead.h"

#include "repo/blob.h"
#include <pthread.h>

#define THREADS 2
#define AHEAD_READY                                                                                \
    64 /* trees; enough to keep the threads busy while the walk stats a directory                  \
        */

typedef enum { WANTED, LOADING, READY } State;

typedef struct {
    Id id;
    State state;
    Tree *tree;  /* READY; NULL: not readable */
    GList *link; /* WANTED: in the queue */
} Ahead;

struct TreeAhead {
    Repo *repo;
    TreeUnreadable unreadable;
    void *user;
    BlobOpener *opener; /* of the taking thread */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    GHashTable *known; /* of Ahead, by id */
    GQueue wanted;     /* of Ahead, the next one first */
    unsigned n_ready;  /* loading or ready */
    bool stop;
    pthread_t threads[THREADS];
};

static Tree *load(const TreeAhead *ahead, BlobOpener *opener, const Id *id)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) text = NULL;
    Tree *tree = NULL;
    const char *data;
    gsize len;

    if (blob_load(ahead->repo, opener, BLOB_TREE, id, &text, &problem)) {
        data = g_bytes_get_data(text, &len);
        (void)tree_decode(data, len, &tree, &problem); // told below
    }
    if (!tree && ahead->unreadable)
        ahead->unreadable(id, problem, ahead->user);
    return tree;
}

static void ahead_free(Ahead *entry)
{
    tree_free(entry->tree);
    g_free(entry);
}

/* ---- threads ---- */

static Ahead *next_wanted(TreeAhead *ahead)
{
    Ahead *entry = NULL;

    pthread_mutex_lock(&ahead->mutex);
    while (!ahead->stop && (g_queue_is_empty(&ahead->wanted) || ahead->n_ready >= AHEAD_READY))
        pthread_cond_wait(&ahead->changed, &ahead->mutex);
    if (!ahead->stop) {
        entry = g_queue_pop_head(&ahead->wanted);
        entry->link = NULL;
        entry->state = LOADING;
        ahead->n_ready++;
    }
    pthread_mutex_unlock(&ahead->mutex);
    return entry;
}

static void *ahead_main(void *arg)
{
    TreeAhead *ahead = arg;
    g_autoptr(BlobOpener) opener = blob_opener_new(ahead->repo);
    Ahead *entry;

    while ((entry = next_wanted(ahead))) {
        Tree *tree = load(ahead, opener, &entry->id);

        pthread_mutex_lock(&ahead->mutex);
        entry->tree = tree;
        entry->state = READY;
        pthread_cond_broadcast(&ahead->changed);
        pthread_mutex_unlock(&ahead->mutex);
    }
    return NULL;
}

/* ---- the walk ---- */

/* Takes the entry off; its tree if a thread has it, waiting for one that is loading. */
static bool take_known(TreeAhead *ahead, const Id *id, Tree **ret_tree)
{
    Ahead *entry;
    bool loaded = false;

    pthread_mutex_lock(&ahead->mutex);
    entry = g_hash_table_lookup(ahead->known, id);
    while (entry && entry->state == LOADING)
        pthread_cond_wait(&ahead->changed, &ahead->mutex);
    if (entry) {
        loaded = entry->state == READY;
        if (loaded) {
            *ret_tree = g_steal_pointer(&entry->tree);
            ahead->n_ready--;
            pthread_cond_broadcast(&ahead->changed);
        } else {
            g_queue_delete_link(&ahead->wanted, entry->link);
        }
        g_hash_table_remove(ahead->known, id);
    }
    pthread_mutex_unlock(&ahead->mutex);
    return loaded;
}

/* In front of what was hinted before, for the walk goes down first. */
static void hint(TreeAhead *ahead, const Tree *tree)
{
    pthread_mutex_lock(&ahead->mutex);
    for (guint i = tree->nodes->len; i-- > 0;) {
        const Node *node = g_ptr_array_index(tree->nodes, i);
        Ahead *entry;

        if (!S_ISDIR(node->mode) || g_hash_table_contains(ahead->known, &node->subtree))
            continue;
        entry = g_new0(Ahead, 1);
        entry->id = node->subtree;
        g_queue_push_head(&ahead->wanted, entry);
        entry->link = ahead->wanted.head;
        g_hash_table_insert(ahead->known, &entry->id, entry);
    }
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->mutex);
}

Tree *tree_ahead_take(TreeAhead *ahead, const Id *id)
{
    Tree *tree = NULL;

    if (!take_known(ahead, id, &tree))
        tree = load(ahead, ahead->opener, id);
    if (tree)
        hint(ahead, tree);
    return tree;
}

TreeAhead *tree_ahead_new(Repo *repo, TreeUnreadable unreadable, void *user)
{
    TreeAhead *ahead = g_new0(TreeAhead, 1);

    ahead->repo = repo;
    ahead->unreadable = unreadable;
    ahead->user = user;
    ahead->opener = blob_opener_new(repo);
    pthread_mutex_init(&ahead->mutex, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    g_queue_init(&ahead->wanted);
    ahead->known = g_hash_table_new_full(id_hash, id_equal_func, NULL, (GDestroyNotify)ahead_free);
    for (unsigned i = 0; i < THREADS; i++)
        g_assert(pthread_create(&ahead->threads[i], NULL, ahead_main, ahead) == 0);
    return ahead;
}

void tree_ahead_free(TreeAhead *ahead)
{
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->mutex);
    ahead->stop = true;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->mutex);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(ahead->threads[i], NULL);
    g_queue_clear(&ahead->wanted);
    g_hash_table_unref(ahead->known);
    blob_opener_free(ahead->opener);
    pthread_mutex_destroy(&ahead->mutex);
    pthread_cond_destroy(&ahead->changed);
    g_free(ahead);
}
