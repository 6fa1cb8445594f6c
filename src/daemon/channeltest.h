/* SPDX-License-Identifier: Apache-2.0 */
/* One event to a channel, at once and without its queue, to see whether it arrives. */
#pragma once
#include "base/cancel.h"
#include "config/configuration.h"

/* instance: who sends it. BS_ERROR_NOT_FOUND: no such channel, and which there are;
 * BS_ERROR_FAILED: why it did not arrive, or not at everybody. */
bool channel_test(const Configuration *configuration, const char *channel, const char *instance,
                  const Cancel *cancel, GError **error);
