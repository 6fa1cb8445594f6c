/* SPDX-License-Identifier: Apache-2.0 */
/* A way to tell somebody: what "notifications" names. Its settings are an object by the table of
 * its type; secrets in it are references (config/reference.h). */
#pragma once
#include "config/field.h"

typedef struct {
    char *name;
    char *type;       /* "smtp", "slack", "pagerduty", "trello", "webhook", "healthchecks" */
    json_t *settings; /* complete, with its type */
} ChannelConfig;

/* In the order of the manual page; NULL-terminated. */
extern const Table *const channel_tables[];
/* By the name of a type; NULL: there is none of that name. */
const Table *channel_table(const char *type);
/* "smtp, slack, ...": for problems. */
char *channel_types(void);

/* Of a checked and completed object. */
ChannelConfig *channel_config_new(const char *name, const json_t *object);
void channel_config_free(ChannelConfig *channel);
