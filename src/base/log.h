/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines on stderr: text on a terminal, JSON lines (ts, level, msg, pairs) elsewhere. The
 * message is constant and part of the interface; values follow as key, value pairs of strings,
 * ended by NULL: log_info("backup finished", "source", name, "snapshot", id, NULL); Code below op/
 * logs nothing but debug. Any thread; a line is written whole.
 */
#pragma once
#include <glib.h>

typedef enum { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } LogLevel;

void log_set_level(LogLevel level); /* default LOG_WARN */
LogLevel log_level(void);
void log_write(LogLevel level, const char *message, ...) G_GNUC_NULL_TERMINATED;

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
