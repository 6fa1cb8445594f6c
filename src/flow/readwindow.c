/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/readwindow.h"

bool request_same_place(const Request *a, const Request *b)
{
    return a->place.offset == b->place.offset && id_equal(&a->id, &b->id) &&
           id_equal(&a->place.pack, &b->place.pack);
}

Window *window_new(guint first)
{
    Window *window = g_new0(Window, 1);

    window->requests = g_array_sized_new(FALSE, FALSE, sizeof(Request), first);
    window->ranges = g_array_new(FALSE, FALSE, sizeof(Range));
    window->turns = g_hash_table_new_full(id_hash, id_equal_func, g_free, NULL);
    return window;
}

void window_free(Window *window)
{
    g_array_unref(window->requests);
    g_array_unref(window->ranges);
    g_hash_table_unref(window->turns);
    g_free(window);
}

guint window_turn(Window *window, const Id *pack)
{
    guint n = g_hash_table_size(window->turns);

    if (n == 0 || !id_equal(pack, &window->last_pack)) {
        gpointer turn = g_hash_table_lookup(window->turns, pack);

        if (!turn) {
            turn = GUINT_TO_POINTER(n + 1);
            g_hash_table_insert(window->turns, g_memdup2(pack, sizeof *pack), turn);
        }
        window->last_pack = *pack;
        window->last_turn = GPOINTER_TO_UINT(turn);
    }
    return window->last_turn;
}

static gint compare_places(gconstpointer a, gconstpointer b)
{
    const Request *left = a, *right = b;

    if (left->turn != right->turn)
        return left->turn < right->turn ? -1 : 1;
    return left->place.offset < right->place.offset ? -1 : left->place.offset > right->place.offset;
}

void window_cut(Window *window, const Reading *reading)
{
    const Request *requests;
    Range range = { .window = window };

    g_array_sort(window->requests, compare_places);
    requests = (const Request *)(gpointer)window->requests->data;
    for (guint i = 0; i < window->requests->len; i++) {
        if (range.n > 0 && !reading_joins(reading, &requests[range.first].place,
                                          &requests[i - 1].place, &requests[i].place)) {
            g_array_append_val(window->ranges, range);
            range.first = i;
            range.n = 0;
        }
        range.n++;
    }
    if (range.n > 0)
        g_array_append_val(window->ranges, range);
}

Request *range_requests(const Range *range)
{
    return (Request *)(gpointer)range->window->requests->data + range->first;
}
