/* SPDX-License-Identifier: Apache-2.0 */
/* All that can be asked for by HTTP. */
#pragma once
#include "daemon/webroute.h"

extern const WebRoute web_routes[];
