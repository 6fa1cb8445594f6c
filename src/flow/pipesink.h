/* SPDX-License-Identifier: Apache-2.0 */
/* The sink that writes the content of one file to an outlet (dump, pg_restore). No caps; holes are
 * zeros. */
#pragma once
#include "flow/outlet.h"
#include "flow/sink.h"

/* out is borrowed, and not finished: something may follow. */
Sink *pipe_sink_new(Outlet *out);
