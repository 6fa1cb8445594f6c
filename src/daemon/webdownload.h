/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup on its way to a client: `backstay dump`, a child that opens the repository, writes into
 * a pipe. One that fails before its first byte is a problem; later the connection is cut, so that
 * nobody takes a part for the whole. At most WEB_DOWNLOADS at once, a thread each.
 */
#pragma once
#include "daemon/webcall.h"

extern const ShapeField download_query[], manifest_query[];

bool web_download(WebCall *call, WebAnswer *answer, GError **error);
bool web_manifest(WebCall *call, WebAnswer *answer, GError **error);

/* RFC 9110, section 14.1.2: one range of "bytes=". *ret_first and *ret_len are inside of size.
 * *ret_some false: there is no range that we serve, so all of it is sent. 416. */
bool web_range_parse(const char *header, uint64_t size, bool *ret_some, uint64_t *ret_first,
                     uint64_t *ret_len, GError **error);
