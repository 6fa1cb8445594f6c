/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webpace.h"

void web_pace_begin(WebPace *pace, int64_t now)
{
    *pace = (WebPace){ .since = now };
}

void web_pace_sleep(WebPace *pace, int64_t now)
{
    pace->asleep = now;
}

void web_pace_wake(WebPace *pace, int64_t now)
{
    if (pace->asleep)
        pace->slept += now - pace->asleep;
    pace->asleep = 0;
}

bool web_pace_too_slow(const WebPace *pace, int64_t now, uint64_t taken, uint64_t slowest)
{
    const int64_t ms = now - pace->since - pace->slept;

    // as floating point: neither the product nor the sum can overflow, and it need not be exact
    return pace->since && ms > 0 &&
           (double)slowest * (double)ms / 1000 > (double)taken + (double)WEB_PACE_SPARE;
}
