/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Hexadecimal and base64; see hex.h. */
#include "base/hex.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";
static const char std[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void hex_encode(const void *p, size_t len, char *out)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[b[i] >> 4];
		*out++ = digits[b[i] & 15];
	}
	*out = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_decode(struct str s, void *out, size_t len)
{
	unsigned char *b = out;

	if (s.len != 2 * len)
		return -1;
	for (size_t i = 0; i < len; i++) {
		int hi = nibble(s.p[2 * i]), lo = nibble(s.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -1;
		b[i] = (unsigned char)(hi << 4 | lo);
	}
	return 0;
}

static bool encode(struct buf *b, const void *p, size_t len, const char *abc,
		   bool pad)
{
	const unsigned char *in = p;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)in[i] << 16;
		char out[4];

		if (n > 1)
			v |= (uint32_t)in[i + 1] << 8;
		if (n > 2)
			v |= in[i + 2];
		for (size_t k = 0; k < 4; k++)
			out[k] = k <= n ? abc[v >> (18 - 6 * k) & 63] : '=';
		buf_put(b, out, pad ? 4 : n + 1);
	}
	return !b->failed;
}

bool b64_encode(struct buf *b, const void *p, size_t len)
{
	return encode(b, p, len, std, true);
}

bool b64url_encode(struct buf *b, const void *p, size_t len)
{
	return encode(b, p, len, url, false);
}

static int value(char c, char c62, char c63)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == c62 ? 62 : c == c63 ? 63 : -1;
}

/* Unpadded alphabet text; the unused bits of the last character must be 0. */
static int decode(struct str s, char c62, char c63, bool space, struct buf *b,
		  size_t *ret_chars)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		int v = value(s.p[i], c62, c63);

		if (space && (s.p[i] == ' ' || s.p[i] == '\n' ||
			      s.p[i] == '\r' || s.p[i] == '\t'))
			continue;
		if (v < 0)
			return -1;
		acc = acc << 6 | (uint32_t)v;
		bits += 6;
		n++;
		if (bits >= 8) {
			bits -= 8;
			buf_putc(b, (char)(acc >> bits & 0xff));
		}
	}
	if (n % 4 == 1 || (bits && acc & ((1U << bits) - 1)))
		return -1;
	*ret_chars = n;
	return b->failed ? -1 : 0;
}

int b64_decode(struct str s, struct buf *b)
{
	size_t pad = 0, n;

	s = str_trim(s);
	while (s.len && s.p[s.len - 1] == '=' && pad < 2) {
		s.len--;
		pad++;
	}
	if (decode(s, '+', '/', true, b, &n))
		return -1;
	return (n + pad) % 4 ? -1 : 0;
}

int b64url_decode(struct str s, struct buf *b)
{
	size_t n;

	return decode(s, '-', '_', false, b, &n);
}

bool percent_encode(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || (c && strchr("-._~@,", c)))
			buf_putc(b, s.p[i]);
		else
			buf_printf(b, "%%%02X", c);
	}
	return !b->failed;
}

int percent_decode(char *p, size_t *len)
{
	size_t to = 0;

	for (size_t i = 0; i < *len; i++) {
		char c = p[i];

		if (c == '%') {
			if (i + 2 >= *len ||
			    hex_decode(str_n(p + i + 1, 2), &c, 1))
				return -1;
			i += 2;
		}
		if ((unsigned char)c < 0x20 || c == 0x7f)
			return -1;
		p[to++] = c;
	}
	*len = to;
	return 0;
}
