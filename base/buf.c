/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Growing byte buffers with a maximum; see buf.h. */
#include "base/buf.h"
#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_done(struct buf *b)
{
	mem_free(b->data);
	*b = BUF_INIT(b->max);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

void buf_wipe(struct buf *b)
{
	if (b->data)
		mem_wipe(b->data, b->cap);
	buf_done(b);
}

char *buf_room(struct buf *b, size_t len)
{
	size_t want;

	if (b->failed || len > b->max - b->len) {
		b->failed = true;
		return NULL;
	}
	if (b->cap - b->len <= len || !b->data) {
		want = b->cap < 64 ? 64 : b->cap;
		while (want - b->len <= len)
			want *= 2;
		if (want > b->max + 1)
			want = b->max + 1;
		b->data = mem_resize(b->data, want, 1);
		b->cap = want;
	}
	return b->data + b->len;
}

void buf_commit(struct buf *b, size_t len)
{
	assert(len < b->cap - b->len);
	b->len += len;
	b->data[b->len] = '\0';
}

bool buf_put(struct buf *b, const void *p, size_t len)
{
	char *to = buf_room(b, len);

	if (!to)
		return false;
	if (len)
		memcpy(to, p, len);
	buf_commit(b, len);
	return true;
}

bool buf_puts(struct buf *b, const char *cstr)
{
	return buf_put(b, cstr, strlen(cstr));
}

bool buf_str(struct buf *b, struct str s)
{
	return buf_put(b, s.p, s.len);
}

bool buf_putc(struct buf *b, char c)
{
	return buf_put(b, &c, 1);
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	char *to;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	to = n < 0 ? NULL : buf_room(b, (size_t)n);
	if (to) {
		(void)vsnprintf(to, (size_t)n + 1, fmt, again);
		buf_commit(b, (size_t)n);
	} else {
		b->failed = true;
	}
	va_end(again);
	return to != NULL;
}

void buf_drop_front(struct buf *b, size_t len)
{
	assert(len <= b->len);
	if (!len)
		return;
	memmove(b->data, b->data + len, b->len - len + 1);
	b->len -= len;
}

struct str buf_view(const struct buf *b)
{
	return str_n(b->data, b->len);
}

const char *buf_cstr(struct buf *b)
{
	return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
	char *p = b->data ? b->data : mem_strdup("");

	*b = BUF_INIT(b->max);
	return p;
}

static void json_byte(struct buf *b, unsigned char c)
{
	static const char named[] = "btn\vfr"; /* 8..13; \v has no short form */

	if (c == '"' || c == '\\')
		buf_printf(b, "\\%c", c);
	else if (c >= 8 && c <= 13 && c != 11)
		buf_printf(b, "\\%c", named[c - 8]);
	else
		buf_printf(b, "\\u%04x", c);
}

/* The longest valid piece of UTF-8 at the front of s, at most 4 bytes. */
static size_t utf8_step(struct str s)
{
	for (size_t n = 1; n <= 4 && n <= s.len; n++)
		if (str_utf8_valid(str_n(s.p, n)))
			return n;
	return 0;
}

bool buf_json(struct buf *b, struct str s)
{
	size_t plain = 0;

	for (size_t i = 0; i < s.len;) {
		unsigned char c = (unsigned char)s.p[i];
		size_t n = c < 0x80 ? 1 : utf8_step(str_from_at(s, i));
		bool as_is =
			n && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f;

		if (as_is) {
			i += n;
			continue;
		}
		buf_put(b, s.p + plain, i - plain);
		if (n)
			json_byte(b, c);
		else
			buf_puts(b, "\xef\xbf\xbd");
		plain = ++i;
	}
	return buf_put(b, s.p + plain, s.len - plain);
}
