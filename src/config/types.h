/* SPDX-License-Identifier: Apache-2.0 */
/* What the texts of a configuration may mean, and what they become. */
#pragma once
#include "config/field.h"

/* Kept as they are (char *): */
extern const FieldType type_text;        /* of one line */
extern const FieldType type_command;     /* a line for the shell */
extern const FieldType type_title;       /* a name for people */
extern const FieldType type_path;        /* absolute */
extern const FieldType type_reference;   /* config/reference.h */
extern const FieldType type_location;    /* of a repository */
extern const FieldType type_compression; /* as --compression */
extern const FieldType type_pack_size;   /* as --pack-size: MiB */
extern const FieldType type_rate;        /* as --limit-upload: KiB a second */
extern const FieldType type_cron;        /* kept as five fields or @daily */
extern const FieldType type_zone;        /* IANA */
extern const FieldType type_catch_up;    /* always, never or a duration */
extern const FieldType type_ionice;
extern const FieldType type_url;        /* http or https */
extern const FieldType type_origin;     /* of one: no path */
extern const FieldType type_source_url; /* as backup takes it, without a password */
extern const FieldType type_redis;      /* redis://... without a password, or a reference */
extern const FieldType type_catalogue;
extern const FieldType type_listen;    /* HOST:PORT */
extern const FieldType type_prefix;    /* of metrics */
extern const FieldType type_address;   /* of mail */
extern const FieldType type_wait_text; /* a duration */
extern const FieldType type_size_text; /* a size */
extern const FieldType type_header;    /* any text, or a reference */
extern const FieldType type_http;      /* a reference, or a URL that is no secret */
/* Become something: */
extern const FieldType type_wait;   /* int64_t, seconds */
extern const FieldType type_span;   /* int64_t, ms */
extern const FieldType type_size;   /* uint64_t, bytes */
extern const FieldType type_within; /* Duration: by the calendar */
extern const FieldType type_time;   /* int64_t, Unix seconds, of RFC 3339 */
extern const FieldType type_clock;  /* int64_t, minutes of the day */

/* A password stands in it, as in redis://user:password@host. */
bool url_has_password(const char *url);
/* The same without it; to be freed. */
char *url_without_password(const char *url);
/* The same place, another database: what the path says. To be freed, and wiped where a password
 * stands in it. */
char *url_with_database(const char *url, const char *database);
/* Another one, which is escaped there; to be freed, and wiped. */
char *url_with_password(const char *url, const char *password);
