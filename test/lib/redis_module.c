/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Redis module with a type of its own, as scenarios load it: a value writes one of each thing
 * that a module can write, and the type something before and after all keys. Debian packages no
 * header for modules, so what is needed of the interface stands here ("Modules API reference" of
 * Redis, redismodule.h of 7.0).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t version;
    void *(*rdb_load)(void *io, int encver);
    void (*rdb_save)(void *io, void *value);
    void (*aof_rewrite)(void *aof, void *key, void *value);
    size_t (*mem_usage)(const void *value);
    void (*digest)(void *digest, void *value);
    void (*free)(void *value);
    int (*aux_load)(void *io, int encver, int when);
    void (*aux_save)(void *io, int when);
    int aux_save_triggers;
} TypeMethods;

typedef struct {
    uint64_t number;
    char *text;
} Value;

static int (*get_api)(const char *name, void *function);
static void (*set_attributes)(void *context, const char *name, int version, int api);
static void *(*create_type)(void *context, const char *name, int encver, TypeMethods *methods);
static int (*create_command)(void *context, const char *name,
                             int (*run)(void *context, void **argv, int argc), const char *flags,
                             int first, int last, int step);
static void *(*open_key)(void *context, void *name, int mode);
static void (*close_key)(void *key);
static int (*set_value)(void *key, void *type, void *value);
static const char *(*string_bytes)(const void *string, size_t *len);
static int (*reply_number)(void *context, long long number);
static void (*save_unsigned)(void *io, uint64_t number);
static uint64_t (*load_unsigned)(void *io);
static void (*save_signed)(void *io, int64_t number);
static int64_t (*load_signed)(void *io);
static void (*save_bytes)(void *io, const char *bytes, size_t len);
static char *(*load_bytes)(void *io, size_t *len);
static void (*save_double)(void *io, double number);
static double (*load_double)(void *io);
static void (*save_float)(void *io, float number);
static float (*load_float)(void *io);
static void (*release)(void *memory);

static const struct {
    const char *name;
    void *function;
} functions[] = {
    { "RedisModule_SetModuleAttribs", &set_attributes },
    { "RedisModule_CreateDataType", &create_type },
    { "RedisModule_CreateCommand", &create_command },
    { "RedisModule_OpenKey", &open_key },
    { "RedisModule_CloseKey", &close_key },
    { "RedisModule_ModuleTypeSetValue", &set_value },
    { "RedisModule_StringPtrLen", &string_bytes },
    { "RedisModule_ReplyWithLongLong", &reply_number },
    { "RedisModule_SaveUnsigned", &save_unsigned },
    { "RedisModule_LoadUnsigned", &load_unsigned },
    { "RedisModule_SaveSigned", &save_signed },
    { "RedisModule_LoadSigned", &load_signed },
    { "RedisModule_SaveStringBuffer", &save_bytes },
    { "RedisModule_LoadStringBuffer", &load_bytes },
    { "RedisModule_SaveDouble", &save_double },
    { "RedisModule_LoadDouble", &load_double },
    { "RedisModule_SaveFloat", &save_float },
    { "RedisModule_LoadFloat", &load_float },
    { "RedisModule_Free", &release },
};

static void *type;

static void value_free(void *data)
{
    Value *value = data;

    free(value->text);
    free(value);
}

static void value_save(void *io, void *data)
{
    const Value *value = data;

    save_unsigned(io, value->number);
    save_signed(io, -(int64_t)value->number);
    save_bytes(io, value->text, strlen(value->text));
    save_double(io, (double)value->number / 7);
    save_float(io, (float)value->number / 3);
}

static void *value_load(void *io, int encver)
{
    Value *value = calloc(1, sizeof *value);
    size_t len;
    char *bytes;

    (void)encver;
    value->number = load_unsigned(io);
    (void)load_signed(io);
    bytes = load_bytes(io, &len);
    value->text = strndup(bytes, len);
    release(bytes);
    (void)load_double(io);
    (void)load_float(io);
    return value;
}

static void aux_save(void *io, int when)
{
    save_bytes(io, when == 1 ? "before" : "after", when == 1 ? 6 : 5);
}

static int aux_load(void *io, int encver, int when)
{
    size_t len;

    (void)encver;
    (void)when;
    release(load_bytes(io, &len));
    return 0;
}

/* OURS.SET key number text */
static int set(void *context, void **argv, int argc)
{
    void *key = argc == 4 ? open_key(context, argv[1], 3) : NULL; // to read and to write
    Value *value = calloc(1, sizeof *value);
    const char *bytes;
    size_t len;

    if (!key) {
        free(value);
        return 1;
    }
    value->number = strtoull(string_bytes(argv[2], &len), NULL, 10);
    bytes = string_bytes(argv[3], &len);
    value->text = strndup(bytes, len);
    set_value(key, type, value);
    close_key(key);
    return reply_number(context, 1);
}

int RedisModule_OnLoad(void *context, void **argv, int argc);

/* A context begins with the function that finds all others. */
int RedisModule_OnLoad(void *context, void **argv, int argc)
{
    TypeMethods methods = { .version = 2,
                            .rdb_load = value_load,
                            .rdb_save = value_save,
                            .free = value_free,
                            .aux_load = aux_load,
                            .aux_save = aux_save,
                            .aux_save_triggers = 3 }; // before and after

    (void)argv;
    (void)argc;
    memcpy(&get_api, context, sizeof get_api);
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (get_api(functions[i].name, functions[i].function) != 0)
            return 1;
    set_attributes(context, "ours", 1, 1);
    type = create_type(context, "ours-type", 0, &methods);
    return !type || create_command(context, "ours.set", set, "write", 1, 1, 1) != 0;
}
