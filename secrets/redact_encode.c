/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What tools make of a value when they print it, as a table of pure functions.
 * White space in the result does not matter: patterns are squeezed.
 */
#include "secrets/redact_internal.h"

#include <pthread.h>
#include <string.h>

void redact_put(struct redact_out *o, const void *p, size_t n)
{
	if (o->full || n > o->cap - o->n) {
		o->full = true;
		return;
	}
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void put_str(struct redact_out *o, const char *s)
{
	redact_put(o, s, strlen(s));
}

void redact_b64_middle(struct redact_out *o, const uint8_t *v, size_t n,
		       unsigned shift, bool url)
{
	static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
				    "nopqrstuvwxyz0123456789";
	/* The bits of v that share a character with what is before it. */
	size_t bit = shift == 0 ? 0 : shift == 1 ? 4 : 2;

	for (; bit + 6 <= 8 * n; bit += 6) {
		unsigned two = (unsigned)v[bit / 8] << 8;
		unsigned six;

		if (bit / 8 + 1 < n)
			two |= v[bit / 8 + 1];
		six = two >> (10 - bit % 8) & 63;
		redact_put1(o, (uint8_t)(six < 62  ? chars[six] :
					 six == 62 ? (url ? '-' : '+') :
						     (url ? '_' : '/')));
	}
}

enum {
	B64_URL = 4 /* or'ed to the shift */
};

static void b64(struct redact_out *o, const uint8_t *v, size_t n, int arg)
{
	redact_b64_middle(o, v, n, (unsigned)arg & 3, arg & B64_URL);
}

enum {
	HEX_PLAIN, /* also "73 65" and "7365 6372" */
	HEX_PLAIN_UPPER,
	HEX_COLON,
	HEX_COLON_UPPER,
	HEX_BACKSLASH,
};

/* "6573 7263": words of two bytes as a little-endian machine has them, od -x
 * and hexdump without options.  A last byte alone is left out. */
static void hex_words(struct redact_out *o, const uint8_t *v, size_t n, int arg)
{
	static const char digits[] = "0123456789abcdef";

	(void)arg;
	for (size_t i = 0; i < n / 2 * 2; i++) {
		uint8_t c = v[i ^ 1];

		redact_put1(o, (uint8_t)digits[c >> 4]);
		redact_put1(o, (uint8_t)digits[c & 15]);
	}
}

static void hex(struct redact_out *o, const uint8_t *v, size_t n, int arg)
{
	static const struct {
		const char *before, *between, *digits;
	} how[] = {
		[HEX_PLAIN] = {"",    "",  "0123456789abcdef"},
		[HEX_PLAIN_UPPER] = {"",    "",  "0123456789ABCDEF"},
		[HEX_COLON] = {"",    ":", "0123456789abcdef"},
		[HEX_COLON_UPPER] = {"",    ":", "0123456789ABCDEF"},
		[HEX_BACKSLASH] = {"\\x", "",  "0123456789abcdef"},
	};

	const char *between = how[arg].between, *before = how[arg].before;
	const char *digits = how[arg].digits;

	for (size_t i = 0; i < n; i++) {
		if (i && *between)
			put_str(o, between);
		if (*before)
			put_str(o, before);
		redact_put1(o, (uint8_t)digits[v[i] >> 4]);
		redact_put1(o, (uint8_t)digits[v[i] & 15]);
	}
}

enum {
	URL_LOWER = 16 /* or'ed to the index: %2f instead of %2F */
};

static const struct {
	const char *safe, *space;
} urls[] = {
	{"-._~",			 "%20"}, /* RFC 3986, curl, jq @uri */
	{"-._~/",			"%20"}, /* Python's quote() */
	{"-._~",			 "+"  }, /* Python's quote_plus() */
	{"*-._",			 "+"  }, /* HTML forms */
	{"-._~!*'()",                    "%20"}, /* encodeURIComponent() */
	{"-._~!*'();/?:@&=+$,#",         "%20"}, /* encodeURI() */
	{"-._~!$%&()*+,/:;=?@[\\]^`{|}", "%20"}, /* WHATWG query */
	{"-._~!$%&'()*+,.\\/",           "%20"}, /* WHATWG userinfo, about */
};
/* Bit i: the byte is itself in urls[i]. */
static uint8_t url_safe[256];

/* Before main(), so that no two threads race to make it. */
static __attribute__((constructor)) void make_url_safe(void)
{
	_Static_assert(ARRAY_LEN(urls) <= 8, "a bit for each");
	for (unsigned c = 1; c < 256; c++)
		for (unsigned i = 0; i < ARRAY_LEN(urls); i++)
			if (redact_alnum((uint8_t)c) ||
			    strchr(urls[i].safe, (int)c))
				url_safe[c] |= (uint8_t)(1u << i);
}

static void url(struct redact_out *o, const uint8_t *v, size_t n, int arg)
{
	const char *digits =
		arg & URL_LOWER ? "0123456789abcdef" : "0123456789ABCDEF";
	unsigned how = (unsigned)arg & 15;

	for (size_t i = 0; i < n; i++) {
		if (url_safe[v[i]] >> how & 1) {
			redact_put1(o, v[i]);
		} else if (v[i] == ' ') {
			put_str(o, urls[how].space);
		} else {
			redact_put1(o, '%');
			redact_put1(o, (uint8_t)digits[v[i] >> 4]);
			redact_put1(o, (uint8_t)digits[v[i] & 15]);
		}
	}
}

static void json_twice(struct redact_out *o, const uint8_t *v, size_t n,
		       int arg)
{
	size_t half = o->cap / 2, mid;
	struct redact_out first = {o->p + half, 0, o->cap - half, false};

	redact_escape(&first, v, n, arg);
	mid = first.n;
	o->full = first.full;
	redact_escape(o, o->p + half, mid, arg);
	if (o->n > half)
		o->full = true; /* it overwrote what it read */
}

/* Replace single characters: "from" is a character, "to" what it becomes. */
static void replace(struct redact_out *o, const uint8_t *v, size_t n, int arg)
{
	static const char *const how[][6] = {
		{"'",  "'\\''",   NULL},
                {"'",  "'\"'\"'", NULL},
		{"'",  "''",      NULL}, /* SQL, YAML, PowerShell */
		{"\"", "\"\"",    NULL}, /* CSV */
		{"\n", "\\n",     NULL}, /* dotenv files, docker --env-file */
	};

	for (size_t i = 0; i < n; i++) {
		if (v[i] == (uint8_t)how[arg][0][0])
			put_str(o, how[arg][1]);
		else
			redact_put1(o, v[i]);
	}
}

/* bash's printf %q and zsh's ${(q)}. */
static void backslashes(struct redact_out *o, const uint8_t *v, size_t n,
			int arg)
{
	(void)arg;
	for (size_t i = 0; i < n; i++) {
		if (v[i] >= 0x20 && v[i] < 0x7f && !redact_alnum(v[i]) &&
		    !strchr("-_./:%+=@", v[i]) && !(v[i] == '#' && i) &&
		    !(v[i] == '~' && i))
			redact_put1(o, '\\');
		redact_put1(o, v[i]);
	}
}

static void xml(struct redact_out *o, const uint8_t *v, size_t n, int arg)
{
	static const char *const how[][5] = {
  /* <      >        &        "        '  */
		{"&lt;",   "&gt;",   "&amp;",  "&quot;", "&apos;"},
		{"&lt;",   "&gt;",   "&amp;",  "&quot;", "&#39;" },
		{"&lt;",   "&gt;",   "&amp;",  "&quot;", "&#x27;"}, /* Python */
		{"&lt;",   "&gt;",   "&amp;",  "&#34;",  "&#39;" }, /* Go */
		{"&lt;",   "&gt;",   "&amp;",  "\"",     "'"     },
		{"&#60;",  "&#62;",  "&#38;",  "&#34;",  "&#39;" },
		{"&#x3c;", "&#x3e;", "&#x26;", "&#x22;", "&#x27;"},
		{"&#x3C;", "&#x3E;", "&#x26;", "&#x22;", "&#x27;"},
	};
	static const char chars[] = "<>&\"'";

	for (size_t i = 0; i < n; i++) {
		const char *c = v[i] && !redact_alnum(v[i]) ?
					strchr(chars, v[i]) :
					NULL;

		if (c)
			put_str(o, how[arg][c - chars]);
		else
			redact_put1(o, v[i]);
	}
}

static void as_is(struct redact_out *o, const uint8_t *v, size_t n, int arg)
{
	(void)arg;
	redact_put(o, v, n);
}

static void reversed(struct redact_out *o, const uint8_t *v, size_t n, int arg)
{
	(void)arg;
	while (n--)
		redact_put1(o, v[n]);
}

/* Only for what is beyond ASCII: NUL is dropped by the squeezed view. */
static void utf16(struct redact_out *o, const uint8_t *v, size_t n, int big)
{
	if (!str_utf8_valid(str_n((const char *)v, n)))
		return;
	for (size_t i = 0; i < n;) {
		size_t len = v[i] < 0x80 ? 1 :
			     v[i] < 0xe0 ? 2 :
			     v[i] < 0xf0 ? 3 :
					   4;
		uint32_t c = len == 1 ? v[i] : v[i] & (0xffu >> (len + 1));
		uint16_t u[2];
		size_t n_u = 1;

		for (size_t k = 1; k < len; k++)
			c = c << 6 | (v[i + k] & 0x3f);
		u[0] = (uint16_t)c;
		if (c > 0xffff) {
			u[0] = (uint16_t)(0xd800 + ((c - 0x10000) >> 10));
			u[1] = (uint16_t)(0xdc00 + ((c - 0x10000) & 0x3ff));
			n_u = 2;
		}
		for (size_t k = 0; k < n_u; k++) {
			uint8_t two[2] = {(uint8_t)u[k], (uint8_t)(u[k] >> 8)};

			redact_put(o, &two[big ? 1 : 0], 1);
			redact_put(o, &two[big ? 0 : 1], 1);
		}
		i += len;
	}
}

const struct redact_encoder redact_encoders[] = {
	{"raw",		  as_is,         0,               true,  false},
	{"base64 +0",            b64,           0,               true,  false},
	{"base64 +1",            b64,           1,               true,  false},
	{"base64 +2",            b64,           2,               true,  false},
	{"base64url +0",         b64,           0 | B64_URL,     true,  false},
	{"base64url +1",         b64,           1 | B64_URL,     true,  false},
	{"base64url +2",         b64,           2 | B64_URL,     true,  false},
	{"hex",		  hex,           HEX_PLAIN,       true,  true },
	{"HEX",		  hex,           HEX_PLAIN_UPPER, true,  true },
	{"hex words",            hex_words,     0,               true,  true },
	{"hex colon",            hex,           HEX_COLON,       false, false},
	{"HEX colon",            hex,           HEX_COLON_UPPER, false, false},
	{"hex backslash",        hex,           HEX_BACKSLASH,   false, false},
	{"url",		  url,           0,               false, false},
	{"url path",             url,           1,               false, false},
	{"url plus",             url,           2,               false, false},
	{"url form",             url,           3,               false, false},
	{"url component",        url,           4,               false, false},
	{"url whole",            url,           5,               false, false},
	{"url query",            url,           6,               false, false},
	{"url user",             url,           7,               false, false},
	{"url lower",            url,           0 | URL_LOWER,   false, false},
	{"url path lower",       url,           1 | URL_LOWER,   false, false},
	{"url form lower",       url,           3 | URL_LOWER,   false, false},
	{"json",		 redact_escape, 0,               true,  false},
	{"json upper",           redact_escape, 1,               false, false},
	{"json slash",           redact_escape, 2,               false, false},
	{"json ascii",           redact_escape, 3,               false, false},
	{"json ascii upper",     redact_escape, 4,               false, false},
	{"json ascii slash",     redact_escape, 5,               false, false},
	{"json html",            redact_escape, 6,               false, false},
	{"json html upper",      redact_escape, 7,               false, false},
	{"yaml",		 redact_escape, 8,               false, false},
	{"yaml lower",           redact_escape, 9,               false, false},
	{"go",		   redact_escape, 10,              false, false},
	{"go ascii",             redact_escape, 11,              false, false},
	{"c",		    redact_escape, 12,              false, false},
	{"c text",               redact_escape, 13,              false, false},
	{"python",               redact_escape, 14,              false, false},
	{"python quotes",        redact_escape, 15,              false, false},
	{"python bytes",         redact_escape, 16,              false, false},
	{"python bytes quotes",  redact_escape, 17,              false, false},
	{"shell $''",            redact_escape, 18,              false, false},
	{"shell $'' text",       redact_escape, 19,              false, false},
	{"shell double",         redact_escape, 20,              false, false},
	{"json twice",           json_twice,    0,               false, false},
	{"json twice ascii",     json_twice,    3,               false, false},
	{"shell single",         replace,       0,               false, false},
	{"shell single, double", replace,       1,               false, false},
	{"quote doubled",        replace,       2,               false, false},
	{"double quote doubled", replace,       3,               false, false},
	{"newline literal",      replace,       4,               false, false},
	{"shell backslash",      backslashes,   0,               false, false},
	{"xml apos",             xml,           0,               false, false},
	{"xml 39",               xml,           1,               false, false},
	{"xml x27",              xml,           2,               false, false},
	{"xml go",               xml,           3,               false, false},
	{"xml text",             xml,           4,               false, false},
	{"xml decimal",          xml,           5,               false, false},
	{"xml hex",              xml,           6,               false, false},
	{"xml HEX",              xml,           7,               false, false},
	{"reversed",             reversed,      0,               false, false},
	{"utf-16le",             utf16,         0,               false, false},
	{"utf-16be",             utf16,         1,               false, false},
};
const size_t redact_n_encoders = ARRAY_LEN(redact_encoders);

/* --- what changes what --------------------------------------------------- */

static uint64_t changers[256];
static pthread_once_t changers_once = PTHREAD_ONCE_INIT;

/* Is it, without what the squeezed view drops, the text itself? */
static bool same(const struct redact_out *o, const uint8_t *v, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < o->n; i++) {
		if (!redact_kept(o->p[i]))
			continue;
		while (k < n && !redact_kept(v[k]))
			k++;
		if (k == n || v[k++] != o->p[i])
			return false;
	}
	while (k < n && !redact_kept(v[k]))
		k++;
	return k == n;
}

/* By trying: each byte at the beginning and elsewhere. */
static void find_changers(void)
{
	_Static_assert(ARRAY_LEN(redact_encoders) <= 64, "a bit for each");
	for (size_t i = 0; i < redact_n_encoders; i++)
		for (unsigned c = 0; c < 256; c++) {
			uint8_t v[2][3] = {
				{(uint8_t)c, 'x',        'x'},
                                {'x',        (uint8_t)c, 'x'}
                        };

			for (unsigned k = 0; k < 2; k++) {
				uint8_t room[256];
				struct redact_out o = {room, 0, sizeof(room),
						       false};

				redact_encoders[i].fn(&o, v[k], 3,
						      redact_encoders[i].arg);
				if (c >= 0x80 || !same(&o, v[k], 3))
					changers[c] |= (uint64_t)1 << i;
			}
		}
}

uint64_t redact_changers(const uint8_t *v, size_t n)
{
	uint64_t bits = 0;

	pthread_once(&changers_once, find_changers);
	for (size_t i = 0; i < n; i++)
		bits |= changers[v[i]];
	return bits;
}
