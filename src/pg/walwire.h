/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said between those who hand over WAL files and the server that archives them
 * (doc/wal-protocol.md): packets of text on a local socket that keeps their bounds. Plain C without
 * GLib, for it is also built into PostgreSQL's archive module. Pure; any thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WALWIRE_VERSION        1
#define WALWIRE_MAX            2048 /* bytes of a packet */
#define WALWIRE_NAME_MAX       63
#define WALWIRE_REPOSITORY_MAX 1024
#define WALWIRE_TEXT_MAX       1024

/* While somebody waits the server says so this often, and one that has been silent for the second
 * time is not counted on any more. */
#define WALWIRE_TELL_MS   2000
#define WALWIRE_SILENT_MS 30000

/* Descriptors that go with a push: the file, and the directory it lies in. */
#define WALWIRE_FDS 2u

typedef enum { WALWIRE_PING, WALWIRE_PUSH } WalWireVerb;

typedef struct {
    WalWireVerb verb;
    /* of a push: */
    uint64_t system_id;                          /* 0: not known */
    char name[WALWIRE_NAME_MAX + 1];             /* as PostgreSQL calls the file */
    char repository[WALWIRE_REPOSITORY_MAX + 1]; /* that it must go to; "": any */
} WalWireRequest;

typedef enum {
    WALWIRE_PONG,
    WALWIRE_WAIT,   /* still at it; the answer is yet to come */
    WALWIRE_DONE,   /* durable */
    WALWIRE_FAILED, /* and nothing is acknowledged */
    WALWIRE_AWAY,   /* not tried: the server stops, is full, or serves another repository */
} WalWireKind;

typedef struct {
    WalWireKind kind;
    /* with DONE: */
    uint64_t system_id, len, stored; /* stored: bytes that were added */
    bool was_there;
    /* with FAILED: */
    int status; /* exit status, 1 to 255 */
    /* with FAILED and AWAY: */
    char text[WALWIRE_TEXT_MAX + 1];
} WalWireAnswer;

/* How long the packet is; 0: a member is too long, or holds what may not stand there. */
size_t walwire_format_request(const WalWireRequest *request, char packet[WALWIRE_MAX]);
/* Control characters of text become blanks, and what is too long is cut. */
size_t walwire_format_answer(const WalWireAnswer *answer, char packet[WALWIRE_MAX]);
/* False: no such packet, or of another version of the protocol. */
bool walwire_parse_request(const char *packet, size_t len, WalWireRequest *ret_request);
bool walwire_parse_answer(const char *packet, size_t len, WalWireAnswer *ret_answer);
