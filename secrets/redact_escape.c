/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Backslash escapes, by table: how JSON, YAML, TOML, Go, C, Python and shells
 * write a string.  Without the quotes around it.
 */
#include "secrets/redact_internal.h"

#include <assert.h>
#include <string.h>

enum how {
	KEEP,
	HEX_LOWER, /* \x1b */
	HEX_UPPER, /* \x1B */
	OCTAL,     /* \033 */
	U_LOWER,   /* \u001b, above U+FFFF a surrogate pair */
	U_UPPER    /* \u001B */
};

static const struct style {
	const char *name;
	const char *quoted;  /* get a backslash */
	const char *named;   /* a byte and its letter, and so on */
	const char *escaped; /* written like a control character */
	enum how control, high;
} styles[] = {
	{"json",                "\"\\",   "\bb\ff\nn\rr\tt",            "",      U_LOWER,   KEEP     },
	{"json upper",          "\"\\",   "\bb\ff\nn\rr\tt",            "",      U_UPPER,   KEEP     },
	{"json slash",          "\"\\/",  "\bb\ff\nn\rr\tt",            "",      U_LOWER,   KEEP     },
	{"json ascii",          "\"\\",   "\bb\ff\nn\rr\tt",            "",      U_LOWER,   U_LOWER  },
	{"json ascii upper",    "\"\\",   "\bb\ff\nn\rr\tt",            "",      U_UPPER,   U_UPPER  },
	{"json ascii slash",    "\"\\/",  "\bb\ff\nn\rr\tt",            "",      U_LOWER,   U_LOWER  },
	{"json html",           "\"\\",   "\nn\rr\tt",                  "<>&",   U_LOWER,   KEEP     },
	{"json html upper",     "\"\\",   "\bb\ff\nn\rr\tt",            "<>&'+", U_UPPER,
	 U_UPPER										     },
	{"yaml",                "\"\\",   "\aa\bb\tt\nn\vv\ff\rr\033e", "",      HEX_UPPER, KEEP     },
	{"yaml lower",          "\"\\",   "\aa\bb\tt\nn\vv\ff\rr\033e", "",      HEX_LOWER,
	 HEX_LOWER										   },
	{"go",		  "\"\\",   "\aa\bb\ff\nn\rr\tt\vv",      "",      HEX_LOWER, KEEP     },
	{"go ascii",            "\"\\",   "\aa\bb\ff\nn\rr\tt\vv",      "",      HEX_LOWER, U_LOWER  },
	{"c",		   "\"\\",   "\aa\bb\ff\nn\rr\tt\vv",      "",      OCTAL,     OCTAL    },
	{"c text",              "\"\\",   "\aa\bb\ff\nn\rr\tt\vv",      "",      OCTAL,     KEEP     },
	{"python",              "\\",     "\nn\rr\tt",                  "",      HEX_LOWER, KEEP     },
	{"python both quotes",  "\\'",    "\nn\rr\tt",                  "",      HEX_LOWER, KEEP     },
	{"python bytes",        "\\",     "\nn\rr\tt",                  "",      HEX_LOWER, HEX_LOWER},
	{"python bytes quotes", "\\'",    "\nn\rr\tt",                  "",      HEX_LOWER, HEX_LOWER},
	{"shell $''",           "\\'",    "\aa\bb\033E\ff\nn\rr\tt\vv", "",      OCTAL,     OCTAL    },
	{"shell $'' text",      "\\'",    "\aa\bb\033E\ff\nn\rr\tt\vv", "",      OCTAL,
	 KEEP											},
	{"shell double",        "\"\\$`", "",                           "",      KEEP,      KEEP     },
};

static void put_how(struct redact_out *o, enum how how, uint32_t c)
{
	static const struct {
		uint8_t letter, n_digits, bits; /* of a digit */
	} formats[] = {
		[HEX_LOWER] = {'x', 2, 4},
                  [HEX_UPPER] = {'x', 2, 4},
		[OCTAL] = {0,   3, 3},
                  [U_LOWER] = {'u', 4, 4},
		[U_UPPER] = {'u', 4, 4},
	};
	const char *digits = how == HEX_UPPER || how == U_UPPER ?
				     "0123456789ABCDEF" :
				     "0123456789abcdef";

	assert(how != KEEP && how < ARRAY_LEN(formats));
	redact_put1(o, '\\');
	if (formats[how].letter)
		redact_put1(o, formats[how].letter);
	for (unsigned i = formats[how].n_digits; i--;)
		redact_put1(o,
			    (uint8_t)digits[c >> i * formats[how].bits &
					    ((1u << formats[how].bits) - 1)]);
}

/* The character at v, which is valid UTF-8, and its length. */
static uint32_t utf8_at(const uint8_t *v, size_t *ret_len)
{
	size_t len = v[0] < 0xe0 ? 2 : v[0] < 0xf0 ? 3 : 4;
	uint32_t c = v[0] & (0xffu >> (len + 1));

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (v[i] & 0x3f);
	*ret_len = len;
	return c;
}

static void put_u(struct redact_out *o, enum how how, uint32_t c)
{
	if (c > 0xffff) {
		put_how(o, how, 0xd800 + ((c - 0x10000) >> 10));
		c = 0xdc00 + ((c - 0x10000) & 0x3ff);
	}
	put_how(o, how, c);
}

/* What becomes of each byte of ASCII: 0 for itself, CONTROL, or the letter
 * behind a backslash. */
enum {
	CONTROL = 1
};
static uint8_t ascii[ARRAY_LEN(styles)][0x80];

static uint8_t ascii_of(const struct style *s, uint8_t c)
{
	for (const char *p = s->named; *p; p += 2)
		if ((uint8_t)*p == c)
			return (uint8_t)p[1];
	if (c && strchr(s->quoted, c))
		return c;
	return s->control != KEEP &&
	       (c < 0x20 || c == 0x7f || strchr(s->escaped, c));
}

/* Before main(), so that no two threads race to make it. */
static __attribute__((constructor)) void make_ascii(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(styles); i++)
		for (unsigned c = 0; c < 0x80; c++)
			ascii[i][c] = ascii_of(&styles[i], (uint8_t)c);
}

static void put_ascii(struct redact_out *o, int style, uint8_t c)
{
	uint8_t how = ascii[style][c];

	if (how == CONTROL) {
		put_how(o, styles[style].control, c);
		return;
	}
	if (how)
		redact_put1(o, '\\');
	redact_put1(o, how ? how : c);
}

void redact_escape(struct redact_out *o, const uint8_t *v, size_t n, int arg)
{
	const struct style *s = &styles[arg];
	bool u = s->high == U_LOWER || s->high == U_UPPER;
	size_t len;

	assert(arg >= 0 && (size_t)arg < ARRAY_LEN(styles));
	if (u && !str_utf8_valid(str_n((const char *)v, n)))
		return; /* no encoder of this kind takes it */
	for (size_t i = 0; i < n; i += len) {
		len = 1;
		if (v[i] < 0x80)
			put_ascii(o, arg, v[i]);
		else if (u)
			put_u(o, s->high, utf8_at(v + i, &len));
		else if (s->high != KEEP)
			put_how(o, s->high, v[i]);
		else
			redact_put1(o, v[i]);
	}
}
