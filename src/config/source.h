/* SPDX-License-Identifier: Apache-2.0 */
/* A source that the configuration names: what `backup @name` saves. */
#pragma once
#include "config/field.h"
#include "config/reference.h"

typedef struct {
    char *name;
    char **operands;    /* as `backup` takes them: paths, or one URL without a password */
    Reference password; /* of a database; NULL: none */
    json_t *options;    /* object: long options of `backup` to texts, lists, booleans; or NULL */
    json_t *facts;      /* array of {name, sql|env|file [variable]|command|redis, timeout,
                         * required}; or NULL */
    json_t *labels;     /* object of texts; or NULL */
    bool secret;        /* its values are not shown */
    char *url, **paths; /* what operands are made of; one of them is NULL */
} SourceConfig;

extern const Table source_table;
extern const Table source_options_table; /* keys are long options of `backup` */
extern const Table source_facts_table;

/* Of a checked object. */
SourceConfig *source_config_new(const char *name, const json_t *object);
void source_config_free(SourceConfig *source);
/* A database or Redis server that answers at its URL, so that `restore --to` can reach it. */
bool source_config_is_server(const SourceConfig *source);
/* An SQLite database or a volume, so that `restore --to` can put it back where it lies. */
bool source_config_is_place(const SourceConfig *source);
bool source_config_is_volume(const SourceConfig *source); /* one of these two */
/* Its options as they would be typed: "--exclude=*.tmp". NULL-terminated. */
char **source_config_arguments(const SourceConfig *source);
