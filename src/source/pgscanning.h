/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the reader of a plain dump share: bytes become texts, comments and statements
 * (pgscanscript.c), these are understood as far as it matters (pgscansay.c), rows are counted
 * (pgscan.c).
 */
#pragma once
#include "codec/hash.h"
#include "source/pgscan.h"

#define PG_SCAN_TAG_MAX 64u /* of a dollar quote; PostgreSQL cuts names there */
#define PG_SCAN_END_LEN 2u  /* of the line that ends rows: "\\." */

typedef enum {
    IN_SCRIPT,
    IN_COMMENT,       /* to the end of the line */
    IN_BLOCK_COMMENT, /* which nest */
    IN_TEXT,          /* '...' */
    IN_ESCAPED_TEXT,  /* E'...' */
    IN_NAME,          /* "..." */
    IN_DOLLAR_TAG,    /* $tag: perhaps a quote */
    IN_DOLLAR_TEXT,
    IN_COMMAND,   /* of psql, to the end of the line */
    IN_COPY_LINE, /* behind the statement, to the end of the line */
    IN_ROWS,
} State;

struct PgScan {
    State state;
    bool failed;
    uint64_t line;
    uint8_t before, before_that; /* the bytes before, of the script; 0: nothing that matters */
    bool escaped;                /* the next byte is */
    bool perhaps_over;           /* the last byte ended the text, unless it comes once more */
    unsigned depth;              /* of comments */
    bool plain_escapes;          /* standard_conforming_strings = off: '...' is read as E'...' */
    GString *statement;          /* as far as it came */
    bool statement_long;         /* longer than what is kept */
    GString *kept;               /* of the comment, the command */
    GString *tag;                /* "$tag$" */
    size_t matched;              /* bytes of the closing tag */

    PgScanTable *table; /* whose rows come */
    Hash *hash;
    size_t row_len;               /* bytes of the row at hand */
    uint8_t row[PG_SCAN_END_LEN]; /* its first ones, which wait: it may be the end */

    GPtrArray *tables, *extensions;
    char *server_version, *dump_version, *encoding, *connects, *restricted;
    bool inserts, passwords, cluster, was_restricted;
    PgScanPass pass; /* NULL: nobody */
    const PgScanSessions *sessions;
    void *user;
    GByteArray *out; /* what of the slice goes on */
    GString *held;   /* the beginning of a statement that may have to stay behind */
    GString *tail;   /* the last bytes */
};

/* Of the line at hand; false. */
bool pg_scan_corrupt(PgScan *scan, GError **error, const char *what);

/* ---- pgscanscript.c ---- */

/* The next byte of anything but rows. */
bool pg_scan_on_byte(PgScan *scan, uint8_t byte, GError **error);

/* ---- pgscansay.c: what has come whole ---- */

/* scan->statement, up to its semicolon. */
bool pg_scan_end_statement(PgScan *scan, GError **error);
void pg_scan_add(PgScan *scan, uint8_t byte); /* to the statement */
/* scan->kept: the line of a comment, or of a command of psql. */
void pg_scan_end_comment(PgScan *scan);
bool pg_scan_end_command(PgScan *scan, GError **error);

/* ---- pgscanpass.c: what goes on to who runs it ---- */

/* A byte of the script that was read in the state before. */
void pg_scan_pass_byte(PgScan *scan, uint8_t byte, State before);
/* What is gathered. */
bool pg_scan_pass_all(PgScan *scan, GError **error);
/* "\connect " and this. */
bool pg_scan_pass_connect(PgScan *scan, const char *target, GError **error);
/* A name as it is written, quoted or not; *at goes behind it. NULL: there is none. */
char *pg_scan_take_name(const char **at);
