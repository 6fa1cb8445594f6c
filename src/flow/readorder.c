/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content in order: entries wait in a line until it is their turn, and workers open the blobs of
 * those at its head ahead of it (flow/blobahead.h). The calling thread alone speaks to the sink.
 */
#include "base/error.h"
#include "flow/blobahead.h"

/* Entries that the walk may be ahead of the sink. */
#define AHEAD_MAX 1024u

typedef enum { ITEM_BEGIN_DIR, ITEM_ENTRY, ITEM_END_DIR, ITEM_KEEP } ItemKind;

typedef struct {
    ItemKind kind;
    char *path;
    const Node *node;
    Tree *tree;
    bool complete;
    bool dropped;  /* not wanted any more: nothing new is fetched for it */
    guint fetched; /* blobs of its content that were handed to the workers */
    guint taken;   /* and came back */
} Item;

struct InOrder {
    Reading *reading;
    GQueue line;     /* of Item */
    GList *ahead;    /* the first whose content is not wholly fetched; NULL: all are */
    GPtrArray *dirs; /* handles of the sink's open directories */
    unsigned refused;
    BlobAhead *blobs;
};

/* ---- content ---- */

static bool has_content(const Item *item)
{
    return item->kind == ITEM_ENTRY && !item->dropped && item->node->content;
}

/* Hands blobs to the workers as long as there is room. */
static void fetch_ahead(InOrder *order)
{
    while (order->ahead) {
        Item *item = order->ahead->data;

        if (!has_content(item) || item->fetched == item->node->content->len)
            order->ahead = order->ahead->next;
        else if (blob_ahead_add(order->blobs,
                                &g_array_index(item->node->content, Id, item->fetched)))
            item->fetched++;
        else
            return;
    }
}

/* What the workers were asked for in vain. */
static void drop_content(InOrder *order, Item *item)
{
    item->dropped = true;
    for (; item->taken < item->fetched; item->taken++) {
        (void)blob_ahead_first(order->blobs, NULL);
        blob_ahead_drop_first(order->blobs);
    }
}

/* ---- to the sink ---- */

static bool begin(InOrder *order, const Item *item, void **ret_handle)
{
    Entry entry = { .path = item->path, .node = item->node };
    GError *problem = NULL;

    if (sink_begin(order->reading->sink, &entry, ret_handle, &problem))
        return true;
    if (g_error_matches(problem, BS_ERROR, BS_ERROR_SOFT_SKIP))
        g_error_free(problem);
    else
        (void)reading_problem(order->reading, item->path, problem);
    return false;
}

static bool write_content(InOrder *order, Item *item, void *handle, GError **error)
{
    uint64_t offset = 0;
    guint n = has_content(item) ? item->node->content->len : 0;

    while (item->taken < n) {
        const Plain *plain;
        bool ok;

        fetch_ahead(order);
        if (!order->ahead)
            blob_ahead_send(order->blobs); // nothing more comes while the walk waits
        plain = blob_ahead_first(order->blobs, error);
        ok = plain && !reading_over(order->reading) &&
             sink_write(order->reading->sink, handle, offset, plain->data, plain->len, error);
        if (plain) {
            offset += plain->len;
            progress_add(order->reading->options->progress, 0, plain->len);
        }
        item->taken++;
        blob_ahead_drop_first(order->blobs);
        if (!ok)
            return false;
    }
    return true;
}

static void deliver_entry(InOrder *order, Item *item)
{
    Sink *sink = order->reading->sink;
    GError *problem = NULL;
    void *handle = NULL;
    bool reused = false, ok;

    if (order->refused || !begin(order, item, &handle)) {
        drop_content(order, item);
        return;
    }
    ok = sink_reuse(sink, handle, &reused, &problem) &&
         (reused || write_content(order, item, handle, &problem));
    drop_content(order, item);
    if (!ok)
        sink_abandon(sink, handle);
    else if (sink_end(sink, handle, NULL, &problem))
        progress_add(order->reading->options->progress, 1, 0);
    if (problem)
        (void)reading_problem(order->reading, item->path, problem);
}

static void deliver_begin_dir(InOrder *order, const Item *item)
{
    void *handle = NULL;

    if (order->refused || !begin(order, item, &handle))
        order->refused++;
    else
        g_ptr_array_add(order->dirs, handle);
}

static void deliver_end_dir(InOrder *order, const Item *item)
{
    GError *problem = NULL;
    void *handle;

    if (order->refused) {
        order->refused--;
        return;
    }
    handle = g_ptr_array_steal_index(order->dirs, order->dirs->len - 1);
    if (!item->complete)
        sink_abandon(order->reading->sink, handle);
    else if (!sink_end(order->reading->sink, handle, NULL, &problem))
        (void)reading_problem(order->reading, item->path, problem);
}

static void item_free(Item *item)
{
    g_free(item->path);
    tree_free(item->tree);
    g_free(item);
}

/* After a failure nodes may be gone: then only what the workers hold is waited for. */
static void deliver_first(InOrder *order)
{
    Item *item = order->line.head->data;

    if (reading_over(order->reading))
        drop_content(order, item);
    else if (item->kind == ITEM_BEGIN_DIR)
        deliver_begin_dir(order, item);
    else if (item->kind == ITEM_END_DIR)
        deliver_end_dir(order, item);
    else if (item->kind == ITEM_ENTRY)
        deliver_entry(order, item);
    if (order->ahead == order->line.head)
        order->ahead = order->ahead->next;
    g_queue_pop_head(&order->line);
    item_free(item);
}

/* ---- the line ---- */

static Item *append(InOrder *order, ItemKind kind, const char *path, const Node *node)
{
    Item *item = g_new0(Item, 1);

    item->kind = kind;
    item->path = g_strdup(path);
    item->node = node;
    g_queue_push_tail(&order->line, item);
    if (!order->ahead)
        order->ahead = order->line.tail;
    return item;
}

/* The walk goes on looking for work for the workers, up to a bound. */
static void go_on(InOrder *order)
{
    if (!reading_over(order->reading))
        fetch_ahead(order);
    while (order->line.length > 0 && (order->ahead || order->line.length > AHEAD_MAX)) {
        deliver_first(order);
        if (!reading_over(order->reading))
            fetch_ahead(order);
    }
}

void in_order_begin_dir(InOrder *order, const char *path, const Node *node)
{
    (void)append(order, ITEM_BEGIN_DIR, path, node);
    go_on(order);
}

void in_order_entry(InOrder *order, const char *path, const Node *node)
{
    (void)append(order, ITEM_ENTRY, path, node);
    go_on(order);
}

void in_order_end_dir(InOrder *order, const char *path, bool complete)
{
    append(order, ITEM_END_DIR, path, NULL)->complete = complete;
    go_on(order);
}

void in_order_keep(InOrder *order, Tree *tree)
{
    append(order, ITEM_KEEP, NULL, NULL)->tree = tree;
}

void in_order_flush(InOrder *order)
{
    while (order->line.length > 0) {
        if (!reading_over(order->reading))
            fetch_ahead(order);
        deliver_first(order);
    }
}

/* ---- */

InOrder *in_order_new(Reading *reading, unsigned workers)
{
    InOrder *order = g_new0(InOrder, 1);

    order->reading = reading;
    order->dirs = g_ptr_array_new();
    order->blobs = blob_ahead_new(reading, workers);
    g_queue_init(&order->line);
    return order;
}

void in_order_free(InOrder *order)
{
    blob_ahead_free(order->blobs);
    for (guint i = order->dirs->len; i-- > 0;)
        sink_abandon(order->reading->sink, order->dirs->pdata[i]);
    g_ptr_array_unref(order->dirs);
    g_free(order);
}
