/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owner, mode, extended attributes and times of an entry that is being restored, set on a
 * descriptor and so on the very thing that was made, whatever its name points to by now. What
 * cannot be set is told and passed over. Any thread, and warn is called in it.
 */
#pragma once
#include "codec/tree.h"

typedef struct {
    bool no_special; /* without setuid and setgid */
    bool exact; /* attributes that the node does not have go: people's own, and what gives rights */
    void (*warn)(void *user, const GError *problem);
    void *user;
} MetaOptions;

/* fd: opened for reading or writing, or (links, devices, pipes) with O_PATH. */
void meta_restore(int fd, const Node *node, const MetaOptions *options);
