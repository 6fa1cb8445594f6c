/* SPDX-License-Identifier: Apache-2.0 */
/* The sink that writes a tar (pax) or zip archive to an outlet: names without the leading slash,
 * owners by name and number, times, extended attributes, symbolic links, devices. Left out
 * are sockets, and in a zip devices and pipes. A file with several links is written each time. No
 * caps; holes are zeros. */
#pragma once
#include "flow/outlet.h"
#include "flow/sink.h"

typedef enum { ARCHIVE_KIND_TAR, ARCHIVE_KIND_ZIP } ArchiveKind;

/* out is borrowed, and not finished. */
Sink *archive_sink_new(ArchiveKind kind, Outlet *out);
