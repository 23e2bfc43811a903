/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * YAML out: block style; text with line ends as a literal block where that is
 * byte-exact, else in double quotes.
 */
#include "doc/write.h"

#include <string.h>

static void indent(struct buf *b, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_puts(b, "  ");
}

/* May stand bare: reads back as the same text, whoever reads it. */
static bool bare(struct str s)
{
	static const char *const taken[] = {
		"true", "false", "null", "yes", "no",   "on",  "off",
		"True", "False", "Null", "Yes", "No",   "On",  "Off",
		"TRUE", "FALSE", "NULL", "YES", "NO",   "ON",  "OFF",
		"y",    "n",     "Y",    "N",   ".inf", ".nan"};
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

/* A literal block is exact for printable lines, the last ended by one line
 * feed or none, the first not indented. */
static bool literal(struct str s)
{
	if (!str_has(s, '\n') || s.p[0] == ' ' || s.p[0] == '\n' ||
	    s.p[0] == '\t' || !str_utf8_valid(s))
		return false;
	if (s.len > 1 && s.p[s.len - 1] == '\n' && s.p[s.len - 2] == '\n')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			return false;
		/* C1 controls, LS, PS, BOM: YAML breaks lines or refuses */
		if (c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)
			return false;
		if (c == 0xe2 && (unsigned char)s.p[i + 1] == 0x80 &&
		    ((unsigned char)s.p[i + 2] & 0xfe) == 0xa8)
			return false;
		if (c == 0xef && ((unsigned char)s.p[i + 1] == 0xbb ||
				  (unsigned char)s.p[i + 1] == 0xbf))
			return false;
	}
	return true;
}

/* JSON's escapes are YAML's; what YAML has besides is not needed.  DEL, C1
 * and the line separators are escaped too. */
static void quoted(struct buf *b, struct str s)
{
	static const struct {
		const char *bytes, *escape;
	} more[] = {
		{"\xc2\x85",     "\\N"    },
		{"\xe2\x80\xa8", "\\L"    },
		{"\xe2\x80\xa9", "\\P"    },
		{"\xef\xbb\xbf", "\\uFEFF"},
	};
	size_t done = 0;

	buf_putc(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		for (size_t k = 0; k < ARRAY_LEN(more); k++) {
			struct str bytes = str_from(more[k].bytes);

			if (!str_starts(str_from_at(s, i), bytes))
				continue;
			buf_json(b, str_n(s.p + done, i - done));
			buf_puts(b, more[k].escape);
			done = i + bytes.len;
			i = done - 1;
			break;
		}
		if (i >= done && (unsigned char)s.p[i] == 0xc2 &&
		    (unsigned char)s.p[i + 1] < 0xa0) {
			buf_json(b, str_n(s.p + done, i - done));
			buf_printf(b, "\\x%02x", (unsigned char)s.p[i + 1]);
			done = i + 2;
			i++;
		}
	}
	buf_json(b, str_from_at(s, done));
	buf_putc(b, '"');
}

static void text(struct buf *b, struct str s, unsigned depth)
{
	bool ends = s.len && s.p[s.len - 1] == '\n';

	if (bare(s)) {
		buf_str(b, s);
		return;
	}
	if (!literal(s)) {
		quoted(b, s);
		return;
	}
	buf_puts(b, ends ? "|" : "|-");
	if (ends)
		s.len--;
	while (s.p) {
		struct str line = str_cut(&s, '\n');

		buf_putc(b, '\n');
		if (line.len) {
			indent(b, depth);
			buf_str(b, line);
		}
	}
}

static void value(struct buf *b, const struct doc_node *n, unsigned depth,
		  bool in_list);

static void entries(struct buf *b, const struct doc_node *n, unsigned depth,
		    bool first_inline)
{
	for (const struct doc_node *k = n->first; k; k = k->next) {
		if (k != n->first || !first_inline)
			indent(b, depth);
		if (n->kind == DOC_LIST) {
			buf_puts(b, "-");
			value(b, k, depth + 1, true);
			continue;
		}
		if (bare(k->key))
			buf_str(b, k->key);
		else
			quoted(b, k->key);
		buf_putc(b, ':');
		value(b, k, depth + 1, false);
	}
}

/* What follows "key:" or "-"; ends with a line end. */
static void value(struct buf *b, const struct doc_node *n, unsigned depth,
		  bool in_list)
{
	if ((n->kind == DOC_MAP || n->kind == DOC_LIST) && n->first) {
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
	if ((root->kind == DOC_MAP || root->kind == DOC_LIST) && root->first)
		entries(b, root, 0, false);
	else
		value(b, root, 0, false);
}
