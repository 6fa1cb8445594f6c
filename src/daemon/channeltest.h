/* SPDX-License-Identifier: Apache-2.0 */
/* One event to a channel, at once and without its queue, to see whether it arrives. */
#pragma once
#include "base/cancel.h"
#include "config/configuration.h"

/* The event of a test, for the queue of a channel; instance: who sends it. New reference. */
json_t *channel_test_event(const char *instance);

/* instance: who sends it. BS_ERROR_NOT_FOUND: no such channel, and which there are;
 * BS_ERROR_FAILED: why it did not arrive, or not at everybody. */
bool channel_test(const Configuration *configuration, const char *channel, const char *instance,
                  const Cancel *cancel, GError **error);
