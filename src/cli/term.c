/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What may be written to a terminal; see term.h. */
#include "cli/term.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	SGR_MAX = 40,
	PIECE_MAX = 64 * 1024
};

/* The length of ESC [ digits and ; m at the start; 0: something else. */
static size_t color_len(struct str s)
{
	size_t i;

	if (s.len < 3 || s.p[0] != '\033' || s.p[1] != '[')
		return 0;
	for (i = 2; i < s.len && i < SGR_MAX; i++) {
		if (s.p[i] == 'm')
			return i + 1;
		if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != ';')
			return 0;
	}
	return 0;
}

/* Bytes of the character at the start; 0 when it is not UTF-8. */
static size_t char_len(struct str s)
{
	for (size_t n = 1; n <= 4 && n <= s.len; n++)
		if (str_utf8_valid(str_n(s.p, n)))
			return n;
	return 0;
}

static void put_control(unsigned char c, struct buf *out)
{
	buf_putc(out, '^');
	buf_putc(out, (char)(c ^ 0x40)); /* 0x7f becomes '?' */
}

/* One character that is no colour; returns its length. */
static size_t put_char(struct str s, struct buf *out)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = char_len(s);

	if (!n) {
		buf_printf(out, "\\x%02x", c);
		return 1;
	}
	if (n == 1 && (c < 0x20 || c == 0x7f) && c != '\t' && c != '\n')
		put_control(c, out);
	else if (n == 2 && c == 0xc2 && (unsigned char)s.p[1] < 0xa0)
		buf_printf(out, "\\u%04x", (unsigned char)s.p[1]);
	else
		buf_put(out, s.p, n);
	return n;
}

void term_text(struct str s, struct buf *out)
{
	bool colored = false;

	while (s.len) {
		size_t n = color_len(s);

		if (n) {
			buf_put(out, s.p, n);
			colored = true;
		} else if (colored && s.p[0] == '\n') {
			buf_puts(out, "\033[0m"); /* for its own line only */
			colored = false;
			continue;
		} else if (str_is(s, "\r") || str_is(s, "\r\n")) {
			n = 1; /* of a line that ended in CR LF */
		} else {
			n = put_char(s, out);
		}
		s = str_from_at(s, n);
	}
	if (colored)
		buf_puts(out, "\033[0m");
}

void term_put(struct str s)
{
	static int tty = -1;

	if (tty < 0)
		tty = isatty(1);
	while (tty && s.len) { /* each byte becomes six at most */
		CLEANUP_BUF struct buf b = BUF_INIT(8 * PIECE_MAX);
		struct str piece = s;

		if (piece.len > PIECE_MAX)
			piece.len = PIECE_MAX;
		term_text(piece, &b);
		fwrite(b.data, 1, b.len, stdout);
		s = str_from_at(s, piece.len);
	}
	if (s.len)
		fwrite(s.p, 1, s.len, stdout);
}

unsigned term_columns(void)
{
	struct winsize w;

	return ioctl(1, TIOCGWINSZ, &w) || w.ws_col < 20 ? 80 : w.ws_col;
}
