/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that is wrong with a configuration, so that it can be told at once. A problem is named by the
 * JSON pointer (RFC 6901) of its value, and in a file by line and column, too. One thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef struct {
    char *pointer;         /* NULL: of a place in the file that is no value */
    bool of_key;           /* it is the key that is wrong, not the value */
    unsigned line, column; /* from 1; 0: not known */
    const char *variable;  /* of the environment that it came from, constant; or NULL */
    char *text;
} Problem;

typedef GPtrArray Problems; /* of Problem */

Problems *problems_new(void);
/* line 0: by the pointer alone. */
void problems_add(Problems *problems, const char *pointer, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
void problems_add_key(Problems *problems, const char *pointer, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
void problems_add_at(Problems *problems, unsigned line, unsigned column, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

/* parent + "/" + key, escaped. */
char *pointer_join(const char *parent, const char *key);
char *pointer_index(const char *parent, size_t index);
/* "/schedules/nightly/sources/1" as people read it: schedules.nightly.sources[1] */
char *pointer_text(const char *pointer);

/* Lines and columns of problems that have none, from marks (config/yaml.h; may be NULL), and by
 * them in order. */
void problems_place(Problems *problems, GHashTable *marks);
/*
 * A line each. With a file: "FILE:LINE:COLUMN: schedules.nightly.cron: TEXT"; without: "/cron:
 * TEXT". BS_ERROR_CONFIG. True when there are none.
 */
bool problems_tell(const Problems *problems, const char *file, GError **error);
