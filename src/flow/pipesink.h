/* SPDX-License-Identifier: Apache-2.0 */
/* The sink that writes the content of one file to a descriptor (dump, pg_restore). No caps; holes
 * are zeros. */
#pragma once
#include "base/cancel.h"
#include "flow/sink.h"

/* fd and cancel (may be NULL) are borrowed. A reader that went away is BS_ERROR_CANCELLED ("broken
 * pipe"). */
Sink *pipe_sink_new(int fd, const char *name, const Cancel *cancel);
