/* SPDX-License-Identifier: Apache-2.0 */
/* One message of a queue (daemon/spool.h), and its file. */
#pragma once
#include "daemon/event.h"

typedef struct {
    char *name;        /* of the file */
    char *incident;    /* its key; NULL: of none */
    bool held;         /* being sent: not to be dropped */
    int64_t kept_at;   /* Unix seconds, when it came here */
    int64_t next_at;   /* when it is tried next */
    unsigned attempts; /* so far */
    json_t *event;
    json_t *state; /* of the channel (daemon/channel.h) */
    /* Of one that stands for others: their ids, and the keys of their incidents; NULL. */
    char **members, **incidents;
} SpoolItem;

/* Takes both references. */
SpoolItem *spool_item_new(const char *name, json_t *event, json_t *state);
void spool_item_free(gpointer item);
char *spool_item_encode(const SpoolItem *item);
/* NULL: it is none of ours. id: that of its name. */
SpoolItem *spool_item_decode(const char *name, const char *id, GBytes *bytes);

/* "000000000017-<id>.json"; false: it is none of ours. */
bool spool_name_parse(const char *name, uint64_t *ret_number, char **ret_id);
char *spool_name_format(uint64_t number, const char *id);
