/* SPDX-License-Identifier: Apache-2.0 */
#include "source/rdbtypes.h"

static const RdbType types[RDB_TYPES] = {
    [0] = { "string", "s" },
    [1] = { "list", "(s)" },
    [2] = { "set", "(s)" },
    [3] = { "zset", "(sf)" },
    [4] = { "hash", "(ss)" },
    [5] = { "zset", "(s8)" }, // scores as doubles
    [6] = { "value of a module before Redis 4.0", NULL },
    [RDB_MODULE] = { "module", "LM" },
    [9] = { "hash", "s" },    // zipmap
    [10] = { "list", "s" },   // ziplist
    [11] = { "set", "s" },    // intset
    [12] = { "zset", "s" },   // ziplist
    [13] = { "hash", "s" },   // ziplist
    [14] = { "list", "(s)" }, // quicklist of ziplists
    [15] = { "stream", "(ss)LLL(sLL(g8L)(s8(g)))" },
    [16] = { "hash", "s" },    // listpack
    [17] = { "zset", "s" },    // listpack
    [18] = { "list", "(Ls)" }, // quicklist of listpacks or plain nodes
    [19] = { "stream", "(ss)LLLLLLLL(sLLL(g8L)(s8(g)))" },
    [20] = { "set", "s" }, // listpack
    [21] = { "stream", "(ss)LLLLLLLL(sLLL(g8L)(s88(g)))" },
    [22] = { "hash of a release candidate of Redis 7.4", NULL },
    [23] = { "hash of a release candidate of Redis 7.4", NULL },
    [24] = { "hash", "8(Lss)" }, // with the expiry of fields
    [25] = { "hash", "8s" },     // the same, listpack
};

const RdbType *rdb_type(uint8_t type)
{
    return type < RDB_TYPES && types[type].name ? &types[type] : NULL;
}

const char *rdb_record_program(uint8_t code)
{
    switch (code) {
    case RDB_SLOT_INFO:
        return "LLL";
    case RDB_FUNCTION:
        return "k";
    case RDB_MODULE_AUX:
        return "LLLM"; // which module, and when it wants it back
    case RDB_IDLE:
    case RDB_SELECT:
        return "L";
    case RDB_FREQ:
        return "1";
    case RDB_AUX:
        return "kk";
    case RDB_RESIZE:
        return "LL";
    case RDB_EXPIRE_MS:
        return "8";
    case RDB_EXPIRE:
        return "4";
    default:
        return NULL;
    }
}

/* moduleTypeNameByID() of Redis' module.c: nine letters of six bits, ten bits of version. */
void rdb_module_name(uint64_t id, char name[RDB_MODULE_NAME])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (int i = 0; i < RDB_MODULE_NAME - 1; i++)
        name[i] = letters[id >> (58 - 6 * i) & 63];
    name[RDB_MODULE_NAME - 1] = '\0';
}
