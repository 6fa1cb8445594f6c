/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Redis server as a source: its whole content as one database file, `/<name>/dump.rdb`, and
 * `manifest.json` (doc/redis.schema.json). The file is taken as a replica takes it, so nothing has
 * to be readable on the server's disk; where the login may not replicate, and the server's
 * directory is on this machine, by BGSAVE and from there. It counts only when its own end, checksum
 * and length are right, and when the server agrees.
 */
#pragma once
#include "source/source.h"

/* The name of a source for text, a URL as net/redisurl.h has it. BS_ERROR_USAGE. */
Source *redis_source_new(const char *url, const char *name, GError **error);
