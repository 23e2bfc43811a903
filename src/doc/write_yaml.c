/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * YAML out: block style; text with line ends as a literal block where that is
 * byte-exact, else in double quotes.  The texts are UTF-8 without NUL.
 */
#include "doc/write.h"

#include <string.h>

enum {
	SIMPLE_KEY_MAX = 1000 /* bytes; YAML takes 1024 characters */
};

static void indent(struct buf *b, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_puts(b, "  ");
}

/* May stand bare: reads back as the same text, whoever reads it. */
static bool bare(struct str s)
{
	static const char *const taken[] = {
		"true", "false", "null", "yes", "no", "on", "off",
		"True", "False", "Null", "Yes", "No", "On", "Off",
		"TRUE", "FALSE", "NULL", "YES", "NO", "ON", "OFF",
		"y",    "n",     "Y",    "N"};
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_-./";

	if (!s.len || s.len > 60 ||
	    !((s.p[0] >= 'a' && s.p[0] <= 'z') ||
	      (s.p[0] >= 'A' && s.p[0] <= 'Z') || s.p[0] == '/'))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!memchr(plain, s.p[i], sizeof(plain) - 1))
			return false;
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		if (str_is(s, taken[i]))
			return false;
	return true;
}

/* Characters that must not stand as they are: how many bytes, and their
 * escape; 0 for all others. */
static size_t escape_of(struct str s, char out[8])
{
	static const struct {
		const char *bytes, *escape;
	} rows[] = {
		{"\xe2\x80\xa8", "\\L"    },
                {"\xe2\x80\xa9", "\\P"    },
		{"\xef\xbb\xbf", "\\uFEFF"},
                {"\xef\xbf\xbe", "\\uFFFE"},
		{"\xef\xbf\xbf", "\\uFFFF"},
	};
	static const char hex[] = "0123456789abcdef";
	unsigned char c = (unsigned char)s.p[0];

	if (c == 0xc2 && (unsigned char)s.p[1] < 0xa0) {
		c = (unsigned char)s.p[1];
		memcpy(out, "\\x", 2);
		out[2] = hex[c >> 4];
		out[3] = hex[c & 15];
		out[4] = '\0';
		return 2;
	}
	if (c != 0xe2 && c != 0xef)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_starts(s, str_from(rows[i].bytes)))
			continue;
		memcpy(out, rows[i].escape, strlen(rows[i].escape) + 1);
		return 3;
	}
	return 0;
}

/* A literal block is exact for lines of such characters, the first neither
 * empty nor indented. */
static bool literal(struct str s)
{
	char unused[8];

	if (!str_has(s, '\n') || s.p[0] == ' ' || s.p[0] == '\n' ||
	    s.p[0] == '\t')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ||
		    escape_of(str_from_at(s, i), unused))
			return false;
	}
	return true;
}

/* JSON's escapes are YAML's too. */
static void quoted(struct buf *b, struct str s)
{
	size_t done = 0;

	buf_putc(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		char out[8];
		size_t n = escape_of(str_from_at(s, i), out);

		if (!n)
			continue;
		buf_json(b, str_n(s.p + done, i - done));
		buf_puts(b, out);
		done = i + n;
		i = done - 1;
	}
	buf_json(b, str_from_at(s, done));
	buf_putc(b, '"');
}

/* The header says what becomes of the last line ends: one is the rule. */
static void block(struct buf *b, struct str s, unsigned depth)
{
	bool one = s.p[s.len - 1] == '\n';
	bool many = one && s.p[s.len - 2] == '\n';

	buf_puts(b, many ? "|+" : one ? "|" : "|-");
	if (one)
		s.len--;
	while (s.p) {
		struct str line = str_cut(&s, '\n');

		buf_putc(b, '\n');
		if (line.len)
			indent(b, depth);
		buf_str(b, line);
	}
}

static void text(struct buf *b, struct str s, unsigned depth)
{
	if (bare(s))
		buf_str(b, s);
	else if (literal(s))
		block(b, s, depth);
	else
		quoted(b, s);
}

static void key(struct buf *b, struct str s, unsigned depth)
{
	size_t start = b->len;

	if (s.len > SIMPLE_KEY_MAX / 6) /* an escape has at most 6 bytes */
		buf_puts(b, "? ");
	if (bare(s))
		buf_str(b, s);
	else
		quoted(b, s);
	if (b->len > start && b->data[start] == '?') {
		buf_putc(b, '\n');
		indent(b, depth);
	}
	buf_putc(b, ':');
}

static void value(struct buf *b, const struct doc_node *n, unsigned depth,
		  bool in_list);

static void entries(struct buf *b, const struct doc_node *n, unsigned depth,
		    bool first_inline)
{
	for (const struct doc_node *k = n->first; k; k = k->next) {
		if (k != n->first || !first_inline)
			indent(b, depth);
		if (n->kind == DOC_LIST)
			buf_puts(b, "-");
		else
			key(b, k->key, depth);
		value(b, k, depth + 1, n->kind == DOC_LIST);
	}
}

/* What follows "key:" or "-"; ends with a line end. */
static void value(struct buf *b, const struct doc_node *n, unsigned depth,
		  bool in_list)
{
	if (n->first) {
		buf_puts(b, in_list ? " " : "\n");
		entries(b, n, depth, in_list);
		return;
	}
	buf_putc(b, ' ');
	switch (doc_write_kind(n)) {
	case DOC_MAP:
		buf_puts(b, "{}");
		break;
	case DOC_LIST:
		buf_puts(b, "[]");
		break;
	case DOC_NULL:
		buf_puts(b, "null");
		break;
	case DOC_INT:
	case DOC_FLOAT:
	case DOC_BOOL:
		buf_str(b, n->text);
		break;
	case DOC_PLAIN:
	case DOC_STRING:
	case DOC_TIME:
		text(b, n->text, depth);
		break;
	}
	buf_putc(b, '\n');
}

void doc_write_yaml(const struct doc_node *root, struct buf *b)
{
	if (root->first) {
		entries(b, root, 0, false);
		return;
	}
	/* A lone value is indented too: at the margin, --- would be a mark. */
	buf_puts(b, "---");
	value(b, root, 1, true);
}
