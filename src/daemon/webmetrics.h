/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics, for Prometheus. */
#pragma once
#include "daemon/webcall.h"

bool web_metrics(WebCall *call, WebAnswer *answer, GError **error);
