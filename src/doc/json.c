/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* JSON (RFC 8259), strict, with the place of every key and value. */
#include "doc/parse.h"
#include "doc/tree.h"

#include "base/hex.h"

struct json {
	struct tree t;
	struct str text;
	size_t at;
	size_t line_start; /* offset */
	uint32_t line;
	size_t skipped; /* continuation bytes since line_start */
	size_t depth;
};

static struct doc_place here(struct json *j)
{
	return (struct doc_place){
		j->line, (uint32_t)(j->at - j->line_start - j->skipped) + 1};
}

static int fail(struct json *j, struct doc_place at, const char *what)
{
	problem_add(j->t.ps, at, "json-syntax", NULL, "%s", what);
	return -1;
}

static int peek(const struct json *j)
{
	return j->at < j->text.len ? (unsigned char)j->text.p[j->at] : -1;
}

static void advance(struct json *j)
{
	unsigned char c = (unsigned char)j->text.p[j->at++];

	if (c == '\n') {
		j->line++;
		j->line_start = j->at;
		j->skipped = 0;
	} else if ((c & 0xc0) == 0x80) {
		j->skipped++;
	}
}

static void space(struct json *j)
{
	for (int c = peek(j); c == ' ' || c == '\t' || c == '\n' || c == '\r';
	     c = peek(j))
		advance(j);
}

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

static int unicode(struct json *j, struct buf *b)
{
	uint32_t c, low;

	if (hex4(j, &c))
		return -1;
	if (c >= 0xdc00 && c <= 0xdfff)
		return -1;
	if (c >= 0xd800 && c <= 0xdbff) {
		if (j->text.len - j->at < 6 || j->text.p[j->at] != '\\' ||
		    j->text.p[j->at + 1] != 'u')
			return -1;
		j->at += 2;
		if (hex4(j, &low) || low < 0xdc00 || low > 0xdfff)
			return -1;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	return c && put_utf8(b, c) ? 0 : -1;
}

static int escape(struct json *j, struct buf *b)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	int c = peek(j);

	if (c < 0)
		return -1;
	j->at++;
	if (c == 'u')
		return unicode(j, b);
	for (size_t i = 0; i < sizeof(from) - 1; i++)
		if (from[i] == c)
			return buf_putc(b, to[i]) ? 0 : -1;
	return -1;
}

static int string(struct json *j, struct buf *b)
{
	struct doc_place start = here(j);

	buf_reset(b);
	advance(j);
	for (;;) {
		struct doc_place at = here(j);
		int c = peek(j);

		if (c < 0)
			return fail(j, start, "a text that does not end");
		if (c == '"') {
			advance(j);
			return 0;
		}
		if (c < 0x20)
			return fail(j, at,
				    "a control character in a text (use \\n, "
				    "\\t, \\u00XX)");
		if (c != '\\') {
			buf_putc(b, (char)c);
			advance(j);
			continue;
		}
		advance(j);
		if (escape(j, b))
			return fail(j, at, "a wrong escape");
	}
}

static int digits(struct json *j)
{
	int n = 0;

	for (; peek(j) >= '0' && peek(j) <= '9'; n++)
		j->at++;
	return n;
}

static int number(struct json *j, enum doc_kind *kind)
{
	size_t start = j->at;
	struct doc_place at = here(j);

	*kind = DOC_INT;
	if (peek(j) == '-')
		j->at++;
	if (peek(j) == '0')
		j->at++;
	else if (!digits(j))
		return fail(j, at, "not a value");
	if (peek(j) >= '0' && peek(j) <= '9')
		return fail(j, at, "a number that starts with 0");
	if (peek(j) == '.') {
		j->at++;
		*kind = DOC_FLOAT;
		if (!digits(j))
			return fail(j, at, "a number without digits");
	}
	if (peek(j) == 'e' || peek(j) == 'E') {
		j->at++;
		*kind = DOC_FLOAT;
		if (peek(j) == '+' || peek(j) == '-')
			j->at++;
		if (!digits(j))
			return fail(j, at, "a number without digits");
	}
	return j->at - start > 400 ? fail(j, at, "a number that is too long") :
				     0;
}

static int value(struct json *j, struct doc_node *parent, const struct str *key,
		 struct doc_place key_at);

static int members(struct json *j, struct doc_node *map)
{
	CLEANUP_BUF struct buf key = BUF_INIT(16 << 20);

	space(j);
	if (peek(j) == '}') {
		advance(j);
		return 0;
	}
	for (;;) {
		struct doc_place at;
		struct str k;

		space(j);
		at = here(j);
		if (peek(j) != '"')
			return fail(j, at, "a key in double quotes is wanted");
		if (string(j, &key))
			return -1;
		space(j);
		if (peek(j) != ':')
			return fail(j, here(j), "a colon is wanted");
		advance(j);
		k = buf_view(&key);
		if (value(j, map, &k, at))
			return -1;
		space(j);
		if (peek(j) == '}') {
			advance(j);
			return 0;
		}
		if (peek(j) != ',')
			return fail(j, here(j), "a comma or } is wanted");
		advance(j);
	}
}

static int elements(struct json *j, struct doc_node *list)
{
	space(j);
	if (peek(j) == ']') {
		advance(j);
		return 0;
	}
	for (;;) {
		if (value(j, list, NULL, (struct doc_place){0, 0}))
			return -1;
		space(j);
		if (peek(j) == ']') {
			advance(j);
			return 0;
		}
		if (peek(j) != ',')
			return fail(j, here(j), "a comma or ] is wanted");
		advance(j);
	}
}

static int nested(struct json *j, struct doc_node *parent,
		  const struct str *key, struct doc_place key_at,
		  enum doc_kind kind)
{
	struct doc_node *n;
	int bad;

	if (j->depth == DOC_DEPTH_MAX) {
		problem_add(j->t.ps, here(j), "too-deep", NULL,
			    "nested deeper than %d levels", DOC_DEPTH_MAX);
		return -1;
	}
	n = tree_add(&j->t, parent, kind, str_n(NULL, 0), here(j), key, key_at);
	if (!n)
		return -1;
	advance(j);
	j->depth++;
	bad = kind == DOC_MAP ? members(j, n) : elements(j, n);
	j->depth--;
	return bad;
}

static int word(struct json *j, struct doc_node *parent, const struct str *key,
		struct doc_place key_at)
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
		return tree_add(&j->t, parent, words[i].kind, words[i].text, at,
				key, key_at) ?
			       0 :
			       -1;
	}
	return fail(j, at, "not a value");
}

static int value(struct json *j, struct doc_node *parent, const struct str *key,
		 struct doc_place key_at)
{
	struct doc_place at;
	size_t start;
	int c;

	space(j);
	at = here(j);
	start = j->at;
	c = peek(j);
	if (c == '{' || c == '[')
		return nested(j, parent, key, key_at,
			      c == '{' ? DOC_MAP : DOC_LIST);
	if (c == '"') {
		CLEANUP_BUF struct buf b = BUF_INIT(16 << 20);

		if (string(j, &b))
			return -1;
		return tree_add(&j->t, parent, DOC_STRING, buf_view(&b), at,
				key, key_at) ?
			       0 :
			       -1;
	}
	if (c == '-' || (c >= '0' && c <= '9')) {
		enum doc_kind kind;

		if (number(j, &kind))
			return -1;
		return tree_add(&j->t, parent, kind,
				str_n(j->text.p + start, j->at - start), at,
				key, key_at) ?
			       0 :
			       -1;
	}
	return c < 0 ? fail(j, at, "the document ends too early") :
		       word(j, parent, key, key_at);
}

int doc_parse_json(struct str text, struct doc *d, struct problems *ps)
{
	struct json j = {
		.t = {.doc = d, .ps = ps},
                  .text = text, .line = 1
        };

	if (value(&j, NULL, NULL, (struct doc_place){0, 0}))
		return -1;
	space(&j);
	return j.at == text.len ?
		       0 :
		       fail(&j, here(&j), "something behind the end");
}
