/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Operator messages; see log.h. */
#include "base/log.h"
#include "base/clock.h"
#include "base/fd.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};
/* As syslog(3) has them. */
static const int priorities[] = {3, 4, 6, 7};
static char role_name[32] = "nfo";
static enum log_level max_level = LOG_LEVEL_INFO;
static enum log_format format = LOG_PLAIN;
static bool to_journal;

void log_role(const char *role)
{
	(void)snprintf(role_name, sizeof(role_name), "%s", role);
}

void log_init(const char *role, enum log_level max)
{
	log_role(role);
	max_level = max;
}

void log_configure(enum log_format f, enum log_level max, bool journal)
{
	format = f;
	max_level = max;
	to_journal = journal;
}

bool log_is_journal(void)
{
	struct str rest = str_from(getenv("JOURNAL_STREAM")), dev;
	uint64_t device, inode;
	struct stat st;

	if (!rest.len || fstat(2, &st))
		return false;
	dev = str_cut(&rest, ':');
	return !str_to_u64(dev, UINT64_MAX, &device) &&
	       !str_to_u64(rest, UINT64_MAX, &inode) &&
	       device == (uint64_t)st.st_dev && inode == (uint64_t)st.st_ino;
}

void log_change(enum log_format f, enum log_level max)
{
	log_configure(format == LOG_PLAIN ? format : f, max, to_journal);
}

enum log_format log_format(void)
{
	return format;
}

bool log_wants(enum log_level level)
{
	return level <= max_level;
}

/* --- building a line ---------------------------------------------------- */

/* The room that a line's end needs, and a closing quote. */
#define TAIL 2
#define ROOM (LOG_LINE_MAX - TAIL - 1)

static void put(struct log_line *l, const char *p, size_t len)
{
	if (len > LOG_LINE_MAX - TAIL - l->len)
		len = LOG_LINE_MAX - TAIL - l->len;
	memcpy(l->text + l->len, p, len);
	l->len += len;
}

static void puts_to(struct log_line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* Of a UTF-8 sequence that a terminal prints: its length; else 0. */
static size_t printable(const unsigned char *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (n > left || p[0] < 0x20 || p[0] == 0x7f ||
	    !str_utf8_valid(str_n((const char *)p, n)))
		return 0;
	return p[0] == 0xc2 && p[1] < 0xa0 ? 0 : n; /* C1 */
}

/* The inside of a text; quotes as kv and JSON both have them. */
static void put_escaped(struct log_line *l, struct str s, bool quoted)
{
	for (size_t i = 0; i < s.len && i < LOG_VALUE_MAX;) {
		const unsigned char *p = (const unsigned char *)s.p + i;
		size_t n = printable(p, s.len - i);
		char text[8];

		if (n && !(quoted && (*p == '"' || *p == '\\'))) {
			/* the room is known first: no half characters */
			if (l->len + n > ROOM)
				return;
			put(l, s.p + i, n);
			i += n;
			continue;
		}
		if (quoted && n)
			(void)snprintf(text, sizeof(text), "\\%c", *p);
		else
			(void)snprintf(text, sizeof(text),
				       quoted && format == LOG_JSON ?
					       "\\u%04x" :
					       "\\x%02x",
				       *p);
		if (l->len + strlen(text) > ROOM)
			return;
		puts_to(l, text);
		i++;
	}
}

/* What needs no quotes as a value of kv. */
static bool is_word(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || (c && strchr("_-./:+@,%", c))))
			return false;
	}
	return s.len > 0;
}

static void put_key(struct log_line *l, const char *key)
{
	if (format == LOG_JSON) {
		puts_to(l, l->text[l->len - 1] == '{' ? "\"" : ",\"");
		puts_to(l, key);
		puts_to(l, "\":");
		return;
	}
	if (l->len && l->text[l->len - 1] != '>')
		puts_to(l, " ");
	puts_to(l, key);
	puts_to(l, "=");
}

/* With its closing quote, or not at all. */
static void put_quoted(struct log_line *l, struct str value)
{
	puts_to(l, "\"");
	put_escaped(l, value, true);
	puts_to(l, "\"");
}

void log_text(struct log_line *l, const char *key, struct str value)
{
	if (l->off || l->len + strlen(key) + 16 > LOG_LINE_MAX)
		return;
	put_key(l, key);
	if (format != LOG_JSON && is_word(value))
		put_escaped(l, value, false);
	else
		put_quoted(l, value);
}

void log_number(struct log_line *l, const char *key, uint64_t value)
{
	char text[24];

	if (l->off || l->len + strlen(key) + 40 > LOG_LINE_MAX)
		return;
	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	put_key(l, key);
	puts_to(l, text);
}

static void put_head(struct log_line *l)
{
	char now[CLOCK_TEXT_LEN + 1], priority[8];

	if (to_journal) {
		(void)snprintf(priority, sizeof(priority), "<%d>",
			       priorities[l->level]);
		puts_to(l, priority);
	}
	if (format == LOG_PLAIN) {
		puts_to(l, level_names[l->level]);
		puts_to(l, " ");
		puts_to(l, role_name);
		puts_to(l, ": ");
		return;
	}
	if (format == LOG_JSON)
		puts_to(l, "{");
	if (!to_journal) {
		clock_format(clock_real_us(), now);
		log_text(l, "time", str_from(now));
	}
	log_text(l, "level", str_from(level_names[l->level]));
	log_text(l, "role", str_from(role_name));
}

void log_begin(struct log_line *l, enum log_level level, const char *msg)
{
	l->len = 0;
	l->level = level;
	l->off = level > max_level;
	if (l->off)
		return;
	put_head(l);
	if (format == LOG_PLAIN)
		put_escaped(l, str_from(msg), false);
	else
		log_text(l, "msg", str_from(msg));
}

void log_end(struct log_line *l)
{
	if (l->off)
		return;
	if (format == LOG_JSON)
		l->text[l->len++] = '}';
	l->text[l->len++] = '\n';
	if (fd_write_all(2, l->text, l->len))
		return; /* nobody listens: nothing to do about it */
}

static void say(enum log_level level, const char *fmt, va_list ap)
{
	char text[LOG_VALUE_MAX + 1];
	struct log_line l;

	if (level > max_level || vsnprintf(text, sizeof(text), fmt, ap) < 0)
		return;
	log_begin(&l, level, text);
	log_end(&l);
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
