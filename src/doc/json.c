/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * JSON (RFC 8259), strict, with the place of every key and value.  Numbers
 * stay text.  Texts without an escape are used where they stand.
 */
#include "doc/parse.h"
#include "doc/tree.h"

#include "base/hex.h"

#include <string.h>

struct json {
	struct tree t;
	struct str text;
	size_t at;
	size_t line_start; /* offset */
	uint32_t line;
	size_t skipped; /* continuation bytes since line_start */
	size_t depth;
	struct buf key, scalar; /* decoded texts, until they are copied */
};

/* Where a value goes: its parent and, in a map, its key. */
struct spot {
	struct doc_node *parent;
	const struct str *key;
	struct doc_place key_at;
};

static struct doc_place here(const struct json *j)
{
	return (struct doc_place){
		j->line, (uint32_t)(j->at - j->line_start - j->skipped) + 1};
}

static int fail(struct json *j, struct doc_place at, const char *hint,
		const char *what)
{
	problem_add(j->t.ps, at, "json-syntax", hint, "%s", what);
	return -1;
}

static int peek(const struct json *j)
{
	return j->at < j->text.len ? (unsigned char)j->text.p[j->at] : -1;
}

/* Skip white space, then say what comes. */
static int next(struct json *j)
{
	int c = peek(j);

	for (; c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = peek(j)) {
		j->at++;
		if (c == '\n') {
			j->line++;
			j->line_start = j->at;
			j->skipped = 0;
		}
	}
	return c;
}

static int add(struct json *j, const struct spot *to, enum doc_kind kind,
	       struct str text, struct doc_place at)
{
	struct doc_node *n = tree_add(&j->t, to->parent, kind, text, at,
				      to->key, to->key_at);

	return n ? 0 : -1;
}

/* --- texts -------------------------------------------------------------- */

static bool put_utf8(struct buf *b, uint32_t c)
{
	char out[4];

	if (c < 0x80)
		return buf_putc(b, (char)c);
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return buf_put(b, out, 2);
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return buf_put(b, out, 3);
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return buf_put(b, out, 4);
}

static int hex4(struct json *j, uint32_t *ret)
{
	unsigned char v[2];

	if (j->text.len - j->at < 4 ||
	    hex_decode(str_n(j->text.p + j->at, 4), v, 2))
		return -1;
	j->at += 4;
	*ret = (uint32_t)v[0] << 8 | v[1];
	return 0;
}

/* What follows \u: NULL, or what is wrong. */
static const char *unicode(struct json *j, struct buf *b)
{
	uint32_t c, low;

	if (hex4(j, &c))
		return "four hexadecimal digits are wanted after \\u";
	if (c >= 0xdc00 && c <= 0xdfff)
		return "half of a surrogate pair";
	if (c >= 0xd800 && c <= 0xdbff) {
		if (!str_starts(str_from_at(j->text, j->at), STR("\\u")))
			return "half of a surrogate pair";
		j->at += 2;
		if (hex4(j, &low) || low < 0xdc00 || low > 0xdfff)
			return "half of a surrogate pair";
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	if (!c)
		return "a NUL (\\u0000)";
	return put_utf8(b, c) ? NULL : "a text that is too long";
}

/* What follows a backslash: NULL, or what is wrong. */
static const char *escape(struct json *j, struct buf *b)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	int c = peek(j);
	const char *found = c > 0 ? strchr(from, c) : NULL;

	if (c == 'u') {
		j->at++;
		return unicode(j, b);
	}
	if (!found)
		return "a wrong escape";
	j->at++;
	return buf_putc(b, to[found - from]) ? NULL : "a text that is too long";
}

/* Up to the next quote, backslash, control character or the end. */
static struct str run(struct json *j)
{
	size_t start = j->at;
	int c = peek(j);

	for (; c >= 0x20 && c != '"' && c != '\\'; c = peek(j)) {
		j->at++;
		j->skipped += (c & 0xc0) == 0x80;
	}
	return str_n(j->text.p + start, j->at - start);
}

/* A text; j stands on its quote.  *ret is good until the next one. */
static int string(struct json *j, struct buf *b, struct str *ret)
{
	struct doc_place start = here(j), at;
	bool escapes = false;
	const char *wrong;
	struct str piece;

	buf_reset(b);
	j->at++;
	for (;;) {
		piece = run(j);
		if (peek(j) == '"' && !escapes)
			break;
		if (!buf_str(b, piece))
			return fail(j, start, NULL, "a text that is too long");
		if (peek(j) == '"')
			break;
		at = here(j);
		if (peek(j) < 0)
			return fail(j, start, "close it with a double quote",
				    "a text that does not end");
		if (peek(j) != '\\')
			return fail(j, at, "write it as \\n, \\t or \\u00XX",
				    "a control character in a text");
		escapes = true;
		j->at++;
		wrong = escape(j, b);
		if (wrong)
			return fail(j, at, NULL, wrong);
	}
	j->at++;
	*ret = escapes ? buf_view(b) : piece;
	return 0;
}

/* --- numbers and words -------------------------------------------------- */

static bool digits(struct json *j)
{
	size_t start = j->at;

	while (peek(j) >= '0' && peek(j) <= '9')
		j->at++;
	return j->at > start;
}

static int number(struct json *j, const struct spot *to)
{
	static const char none[] = "digits are wanted here";
	struct doc_place at = here(j);
	enum doc_kind kind = DOC_INT;
	size_t start = j->at;

	if (peek(j) == '-')
		j->at++;
	if (peek(j) == '0') {
		j->at++;
		if (digits(j))
			return fail(j, at, "quote it if it is a text",
				    "a number that starts with 0");
	} else if (!digits(j)) {
		return fail(j, here(j), NULL, none);
	}
	if (peek(j) == '.') {
		j->at++;
		kind = DOC_FLOAT;
		if (!digits(j))
			return fail(j, here(j), NULL, none);
	}
	if (peek(j) == 'e' || peek(j) == 'E') {
		j->at++;
		kind = DOC_FLOAT;
		if (peek(j) == '+' || peek(j) == '-')
			j->at++;
		if (!digits(j))
			return fail(j, here(j), NULL, none);
	}
	return add(j, to, kind, str_n(j->text.p + start, j->at - start), at);
}

static int word(struct json *j, const struct spot *to)
{
	static const struct {
		struct str text;
		enum doc_kind kind;
	} words[] = {
		{{"true", 4},  DOC_BOOL},
		{{"false", 5}, DOC_BOOL},
		{{"null", 4},  DOC_NULL},
	};
	struct doc_place at = here(j);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!str_starts(str_from_at(j->text, j->at), words[i].text))
			continue;
		j->at += words[i].text.len;
		return add(j, to, words[i].kind, words[i].text, at);
	}
	return fail(j, at, "texts stand in double quotes", "not a value");
}

/* --- values ------------------------------------------------------------- */

static int value(struct json *j, const struct spot *to);

/* Behind an entry: 1 for one more, 0 for the end. */
static int more(struct json *j, char end, const char *wanted)
{
	int c = next(j);

	if (c != end && c != ',')
		return fail(j, here(j), NULL, wanted);
	j->at++;
	return c == ',';
}

static int members(struct json *j, struct doc_node *map)
{
	int again = 1;

	while (again == 1) {
		struct spot to = {.parent = map};
		struct str key;

		if (next(j) != '"')
			return fail(j, here(j), NULL,
				    "a key in double quotes is wanted");
		to.key = &key;
		to.key_at = here(j);
		if (string(j, &j->key, &key))
			return -1;
		if (next(j) != ':')
			return fail(j, here(j), NULL, "a colon is wanted");
		j->at++;
		if (value(j, &to))
			return -1;
		again = more(j, '}', "a comma or } is wanted");
	}
	return again;
}

static int elements(struct json *j, struct doc_node *list)
{
	const struct spot to = {.parent = list};
	int again = 1;

	while (again == 1) {
		if (value(j, &to))
			return -1;
		again = more(j, ']', "a comma or ] is wanted");
	}
	return again;
}

static int nested(struct json *j, const struct spot *to, enum doc_kind kind)
{
	struct doc_node *n;
	int bad = 0;

	if (j->depth == DOC_DEPTH_MAX)
		return tree_too_deep(&j->t, here(j));
	n = tree_add(&j->t, to->parent, kind, STR(""), here(j), to->key,
		     to->key_at);
	if (!n)
		return -1;
	j->at++;
	j->depth++;
	if (next(j) == (kind == DOC_MAP ? '}' : ']'))
		j->at++;
	else
		bad = kind == DOC_MAP ? members(j, n) : elements(j, n);
	j->depth--;
	return bad;
}

static int value(struct json *j, const struct spot *to)
{
	int c = next(j);
	struct doc_place at = here(j);
	struct str text;

	if (c == '{' || c == '[')
		return nested(j, to, c == '{' ? DOC_MAP : DOC_LIST);
	if (c == '"') {
		if (string(j, &j->scalar, &text))
			return -1;
		return add(j, to, DOC_STRING, text, at);
	}
	if (c == '-' || (c >= '0' && c <= '9'))
		return number(j, to);
	if (c < 0)
		return fail(j, at, NULL, "the document ends too early");
	return word(j, to);
}

int doc_parse_json(struct str text, struct doc *d, struct problems *ps)
{
	struct json j = {
		.t = {.doc = d, .ps = ps},
                  .text = text, .line = 1
        };
	const struct spot root = {.parent = NULL};
	int bad;

	/* An escape is never shorter than what it stands for. */
	j.key = j.scalar = BUF_INIT(text.len);
	bad = value(&j, &root);
	if (!bad && next(&j) >= 0)
		bad = fail(&j, here(&j), NULL, "something behind the end");
	buf_done(&j.key);
	buf_wipe(&j.scalar);
	tree_done(&j.t);
	return bad;
}
