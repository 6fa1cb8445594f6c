/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows each kind of record in a Redis database file, as a small program of letters (Redis'
 * rdb.h, rdbSaveObject() and rdbLoadObject() of rdb.c, versions 2.6 to 7.4):
 *
 *   L  a length            s  a string               k  a string that is wanted
 *   f  a number as text    1 4 8  so many bytes      g  sixteen bytes
 *   ( )  a length, and what stands within so often   M  what a module wrote
 */
#pragma once
#include <glib.h>
#include <stdint.h>

/* The newest version of the file that is known: Redis 7.4. */
#define RDB_VERSION_MAX 12
#define RDB_TYPES       26 /* values have a type below this */

enum {
    RDB_MODULE = 7,
    RDB_SLOT_INFO = 244,
    RDB_FUNCTION = 245,
    RDB_FUNCTION_PRE_GA = 246,
    RDB_MODULE_AUX = 247,
    RDB_IDLE = 248,
    RDB_FREQ = 249,
    RDB_AUX = 250,
    RDB_RESIZE = 251,
    RDB_EXPIRE_MS = 252,
    RDB_EXPIRE = 253,
    RDB_SELECT = 254,
    RDB_EOF = 255,
};

/* program: NULL when values of this type cannot be read; name says what it is, NULL: unknown. */
typedef struct {
    const char *name;
    const char *program;
} RdbType;

const RdbType *rdb_type(uint8_t type);        /* of a value; NULL: no such type is known */
const char *rdb_record_program(uint8_t code); /* of the others; NULL: no such code */

#define RDB_MODULE_NAME 10 /* bytes, with the zero */

/* Of a type that a module has, by the number that stands before its values. */
void rdb_module_name(uint64_t id, char name[RDB_MODULE_NAME]);
