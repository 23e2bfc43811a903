/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What a role says to its operator, on standard error: one line a message.
 *
 *   plain  error server: text            what programs start with
 *   kv     time=... level=error role=server msg="text" key=value
 *   json   {"time":"...","level":"error","role":"server","msg":"text",...}
 *
 * For journald a line begins with its priority, "<3>", and has no time of its
 * own.  Never a secret, never a user's bytes unescaped: a value that is not
 * plain words is quoted, what a terminal would obey is spelled out.
 */
#pragma once

#include "base/attr.h"
#include "base/str.h"
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	N_LOG_LEVELS
};

enum log_format {
	LOG_PLAIN,
	LOG_KV,
	LOG_JSON,
	N_LOG_FORMATS
};

void log_init(const char *role, enum log_level max);
void log_role(const char *role); /* only the name, after a fork */
void log_configure(enum log_format format, enum log_level max, bool journal);
/* Is standard error the journal?  As JOURNAL_STREAM of systemd.exec(5) says. */
bool log_is_journal(void);
/* While it runs: plain stays plain, the journal the journal. */
void log_change(enum log_format format, enum log_level max);
enum log_format log_format(void);
bool log_wants(enum log_level level);

void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* A message with fields: begin, any of them, end.  What does not fit is left
 * out, whole fields and the ends of long texts. */
enum {
	LOG_LINE_MAX = 4000, /* below PIPE_BUF: lines are never mixed */
	LOG_VALUE_MAX = 1024 /* bytes of a value that are looked at */
};
struct log_line {
	char text[LOG_LINE_MAX + 1];
	size_t len;
	enum log_level level;
	bool off;
};
void log_begin(struct log_line *l, enum log_level level, const char *msg);
void log_text(struct log_line *l, const char *key, struct str value);
void log_number(struct log_line *l, const char *key, uint64_t value);
void log_end(struct log_line *l);
