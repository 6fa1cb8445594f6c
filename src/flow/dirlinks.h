/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of one inode in a restore: the first is a file like any other, the later ones are
 * linked to it, as soon as it is whole. Where no link can be made (another file system, too many of
 * them) the file is copied. Any thread.
 */
#pragma once
#include "flow/dirfile.h"

typedef struct HardLinks HardLinks;
typedef struct LinkGroup LinkGroup;

typedef enum {
    LINK_NONE,  /* has no other name */
    LINK_FIRST, /* its content is wanted; ready or failed must follow */
    LINK_LATER, /* its content comes from the first; add must follow */
} LinkRole;

/* Takes a later file that was waiting, and how its link went (NULL: well). */
typedef void (*LinkDone)(TargetFile *file, const GError *problem, void *user);
HardLinks *hard_links_new(Target *target, LinkDone done, void *user);
void hard_links_free(HardLinks *links); /* nobody may be waiting any more */

LinkRole hard_links_join(HardLinks *links, const Node *node, LinkGroup **ret_group);
/* The first name is in its place. */
void hard_links_ready(HardLinks *links, LinkGroup *group, const TargetFile *first,
                      const struct stat *identity);
/* It never will be. The next one that joins is a first one. */
void hard_links_failed(HardLinks *links, LinkGroup *group);
/* Makes the link now, or when the first is ready; either way done gets the file. */
void hard_links_add(HardLinks *links, LinkGroup *group, TargetFile *file);
