/* SPDX-License-Identifier: Apache-2.0 */
/* The one initialization that libcurl wants before anything else of it. */
#pragma once

void libcurl_init(void); /* any thread, any number of times */
