/* SPDX-License-Identifier: Apache-2.0 */
#include "store/memory.h"

#include "conformance.h"

static Store *make(G_GNUC_UNUSED void **ret_place)
{
    return memory_store_new();
}

static void discard(Store *store, G_GNUC_UNUSED void *place)
{
    store_free(store);
}

int main(int argc, char **argv)
{
    static const StoreMaker maker = {
        .name = "memory", .open = make, .close = discard, .n_listed = 3000
    };

    g_test_init(&argc, &argv, NULL);
    store_conformance_add(&maker);
    return g_test_run();
}
