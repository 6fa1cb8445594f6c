/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory that a restore writes into, as all its entries share it: what the user wants of it,
 * names for what is not whole yet, and who is told. Any thread, and so report and warn are called
 * from any.
 */
#pragma once
#include "flow/dirsink.h"
#include "flow/targetdir.h"
#include <stdatomic.h>
#include <sys/stat.h>

typedef struct {
    DirSinkOptions options;
    uint64_t salt; /* temporary names are neither guessed nor the same twice */
    atomic_uint n_temps;
} Target;

typedef struct {
    char text[48];
} TempName;

/* What is needed of a node until its end, when the tree may be gone. */
Node *target_metadata(const Node *node);
/* What has this name in dir; st_mode 0: nothing. A link is looked at, not followed. */
bool target_look(TargetDir *dir, const char *name, struct stat *ret_st, GError **error);
/* Whether the user wants node in the place of what is there. */
bool target_wants(const Target *target, const Node *node, const struct stat *there);
/* Whether a file is taken for unchanged. One with a second name never is: the other may lie outside
 * of the target, and setting owner or mode here would set them there. */
bool target_trusts(const Target *target, const Node *node, const struct stat *there);

TempName target_temp_name(Target *target);
/*
 * Gives what is called temp in dir (open as dirfd) the name that it shall have, in the place of
 * what has it now. BS_ERROR_NOT_EMPTY: that is a directory with something in it, and nobody said
 * that it may go. On failure temp is still there.
 */
bool target_replace(const Target *target, const TargetDir *dir, int dirfd, const char *temp,
                    const char *name, GError **error);
/* Tells what was done to node in dir; action as in DirSinkOptions. */
void target_report(const Target *target, const TargetDir *dir, const Node *node,
                   const char *action);
/* Tells what could not be done to name in dir; name NULL: to dir itself. */
void target_warn(const Target *target, const TargetDir *dir, const char *name,
                 const GError *problem);
/* Owner, mode and so on of what is open as fd (flow/dirmeta.h); what fails is a warning. */
void target_restore_meta(const Target *target, const TargetDir *dir, int fd, const Node *node);
