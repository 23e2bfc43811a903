/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Operator messages; see log.h. */
#include "base/log.h"
#include "base/fd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	LINE_MAX_LEN = 1024
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static char role_name[32] = "nfo";
static enum log_level max_level = LOG_LEVEL_INFO;

void log_init(const char *role, enum log_level max)
{
	(void)snprintf(role_name, sizeof(role_name), "%s", role);
	max_level = max;
}

static void say(enum log_level level, const char *fmt, va_list ap)
{
	char text[LINE_MAX_LEN], line[4 * LINE_MAX_LEN + 64];
	size_t at;
	int n;

	if (level > max_level)
		return;
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		return;
	n = snprintf(line, sizeof(line), "%s %s: ", level_names[level],
		     role_name);
	at = (size_t)n;
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c >= 0x20 && c != 0x7f)
			line[at++] = *p;
		else
			at += (size_t)snprintf(line + at, 5, "\\x%02x", c);
	}
	line[at++] = '\n';
	if (fd_write_all(2, line, at))
		return; /* nobody listens: nothing to do about it */
}

#define LOG_FN(name, level)                                                    \
	void name(const char *fmt, ...)                                        \
	{                                                                      \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, fmt);                                             \
		say(level, fmt, ap);                                           \
		va_end(ap);                                                    \
	}

LOG_FN(log_error, LOG_LEVEL_ERROR)
LOG_FN(log_warn, LOG_LEVEL_WARN)
LOG_FN(log_info, LOG_LEVEL_INFO)
LOG_FN(log_debug, LOG_LEVEL_DEBUG)
