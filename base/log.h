/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What a role says to its operator, on standard error: one line a message,
 * "LEVEL role: text".  Never a secret, never a user's bytes unescaped: control
 * characters are written as \xNN.
 */
#pragma once

#include "base/attr.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

void log_init(const char *role, enum log_level max);
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
