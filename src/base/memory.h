/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of a process that lives long and mostly waits. The allocator keeps what is freed, each
 * thread's in an arena of its own, for a next time that may be hours away. Any thread.
 */
#pragma once

/* Before threads are started: they share two arenas. Nothing of what is allocated changes. */
void memory_share_arenas(void);
/* What is free goes back to the system: mallopt(3), malloc_trim(3). It takes a millisecond or two,
 * so while nothing else is to be done. */
void memory_give_back(void);
