/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a request was not served, as RFC 9457 wants it told: {type, title, status, detail, code,
 * request}. code is the exit status that the command line would have had (conventions of the
 * program), the last word of type is for those who decide.
 */
#pragma once
#include "daemon/webanswer.h"
#include <glib.h>
#include <stdbool.h>

/* Errors of the API alone; code is the status of HTTP. */
#define WEB_PROBLEM web_problem_quark()
GQuark web_problem_quark(void);

/* word: constant, small letters and hyphens ("csrf"). Always false. */
bool web_refuse(GError **error, unsigned status, const char *word, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

/* The status of HTTP for an error of either domain. What is our own failure is 500. */
unsigned web_problem_status(const GError *error);
/* Replaces what the answer held. request: its id. Texts of our own failures go to the log alone. */
void web_problem_answer(WebAnswer *answer, const GError *error, const char *request);
