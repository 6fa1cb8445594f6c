/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a PostgreSQL server needs to be backed up, and what of it is missing; setting that up. Never
 * restarts a server, never edits pg_hba.conf, never sets a password.
 */
#pragma once
#include "base/cancel.h"
#include "pg/serversetup.h"

#define PG_SETUP_ROLE "backstay" /* unless another one is asked for */

typedef struct {
    const char *url;
    const char *role; /* that backups are taken with */
    const char
        *archive_command; /* NULL: ours is to be there, and somebody else's is not replaced */
} PgSetupRequest;

typedef enum {
    PG_SETUP_OK,
    PG_SETUP_WARN,  /* worth knowing; nothing is missing */
    PG_SETUP_WAITS, /* written down, and in force after a restart */
    PG_SETUP_MISSING,
} PgSetupState;

typedef struct {
    const char *check; /* "wal_level", "role", ...: stable, for programs */
    PgSetupState state;
    char *message;
    char *statement;   /* SQL that sets it right; NULL: none does */
    char *line;        /* for pg_hba.conf; NULL */
    const char *needs; /* "restart", "reload" or NULL */
    bool by_hand;      /* the statement replaces what somebody else has set up: not for apply */
} PgSetupItem;

const char *pg_setup_state_name(PgSetupState state); /* "ok", "warn", "waits", "missing" */

/* Of PgSetupItem, which it frees. Pure. */
GPtrArray *pg_setup_decide(const PgServerSetup *setup, const PgSetupRequest *request);
/* Asks the server, and decides. */
bool op_pg_setup(const PgSetupRequest *request, const Cancel *cancel, GPtrArray **ret_items,
                 GError **error);
/* Runs the statements of what is missing, and has the configuration read again. told: each that was
 * run. */
bool op_pg_setup_apply(const PgSetupRequest *request, const GPtrArray *items, const Cancel *cancel,
                       void (*told)(const char *statement, void *user), void *user, GError **error);
/* False with BS_ERROR_SETUP when anything is missing or waits. */
bool pg_setup_complete(const GPtrArray *items, GError **error);
