/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Before a tree is written: what its plain scalars read as, and whether the
 * syntax can hold it at all.  The writers are write_*.c and canonical.c.
 */
#include "doc/write.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum {
	TOML_FLOAT_MAX = 120 /* bytes; toml++ takes 128 */
};

static size_t digits(struct str s, size_t i)
{
	while (i < s.len && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	return i;
}

enum doc_kind doc_number_kind(struct str s)
{
	size_t i = str_starts(s, STR("-")), end = digits(s, i);

	if (end == i || (s.p[i] == '0' && end > i + 1))
		return DOC_STRING;
	if (end == s.len)
		return DOC_INT;
	if (s.p[end] == '.') {
		i = end + 1;
		end = digits(s, i);
		if (end == i)
			return DOC_STRING;
	}
	if (end < s.len && (s.p[end] | 0x20) == 'e') {
		i = end + 1;
		if (i < s.len && (s.p[i] == '+' || s.p[i] == '-'))
			i++;
		end = digits(s, i);
		if (end == i)
			return DOC_STRING;
	}
	return end == s.len ? DOC_FLOAT : DOC_STRING;
}

enum doc_kind doc_write_kind(const struct doc_node *n)
{
	bool b;

	if (n->kind != DOC_PLAIN)
		return n->kind;
	if (doc_is_null(n))
		return DOC_NULL;
	return doc_as_bool(n, &b) ? doc_number_kind(n->text) : DOC_BOOL;
}

int doc_refuse(const struct doc_node *n, struct err *e, const char *why)
{
	CLEANUP_BUF struct buf pointer = BUF_INIT(PROBLEM_POINTER_MAX);
	const struct doc_place at = n->at.line ? n->at : n->key_at;

	doc_pointer_of(n, &pointer);
	if (at.line)
		return err_set(e, ERR_INVALID, "%u:%u: %s: %s", at.line,
			       at.column, buf_cstr(&pointer), why);
	return err_set(e, ERR_INVALID, "%s: %s", buf_cstr(&pointer), why);
}

static bool clean(struct str s)
{
	return str_utf8_valid(s) && !str_has(s, '\0');
}

bool doc_toml_float(struct str s)
{
	char text[TOML_FLOAT_MAX + 1];
	double v;

	if (s.len > TOML_FLOAT_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		text[i] = s.p[i];
	text[s.len] = '\0';
	errno = 0;
	v = strtod(text, NULL);
	return !errno && (isnormal(v) || fpclassify(v) == FP_ZERO);
}

/* Why TOML cannot hold the scalar, or NULL. */
static const char *toml_scalar(enum doc_kind kind, struct str s)
{
	int64_t i;

	if (kind == DOC_NULL)
		return "TOML has no null; leave the key out";
	if (kind == DOC_INT && str_to_i64(s, INT64_MIN, INT64_MAX, &i))
		return "TOML's numbers have 64 bits; quote it";
	if (kind == DOC_FLOAT && !doc_toml_float(s))
		return "a number that TOML cannot hold; quote it";
	return NULL;
}

/* Why the syntax cannot hold the node itself, or NULL.  JSON takes any bytes:
 * its writer escapes NUL and replaces what is not UTF-8. */
static const char *wrong(const struct doc_node *n, enum doc_syntax syntax)
{
	enum doc_kind kind = doc_write_kind(n);

	if (syntax != DOC_JSON && (!clean(n->text) || !clean(n->key)))
		return "a text that is not UTF-8, or has a NUL; use base64";
	if ((kind == DOC_INT || kind == DOC_FLOAT) &&
	    doc_number_kind(n->text) == DOC_STRING)
		return "not a number as JSON has them";
	return syntax == DOC_TOML ? toml_scalar(kind, n->text) : NULL;
}

static int check(const struct doc_node *n, enum doc_syntax syntax,
		 unsigned depth, struct err *e)
{
	const char *why = wrong(n, syntax);

	if (why)
		return doc_refuse(n, e, why);
	if (n->first && depth > DOC_DEPTH_MAX)
		return doc_refuse(n, e, "nested too deep");
	for (const struct doc_node *k = n->first; k; k = k->next)
		if (check(k, syntax, depth + 1, e))
			return -1;
	return 0;
}

int doc_check_writable(const struct doc_node *root, enum doc_syntax syntax,
		       struct err *e)
{
	if (syntax == DOC_TOML && root->kind != DOC_MAP)
		return err_set(e, ERR_INVALID,
			       "a TOML document is a table, not %s",
			       doc_kind_name(root->kind));
	return check(root, syntax, 1, e);
}

int doc_write(const struct doc_node *root, enum doc_syntax syntax,
	      struct buf *b, struct err *e)
{
	if (doc_check_writable(root, syntax, e))
		return -1;
	switch (syntax) {
	case DOC_JSON:
		doc_write_json(root, b);
		break;
	case DOC_YAML:
		doc_write_yaml(root, b);
		break;
	case DOC_TOML:
		doc_write_toml(root, b);
		break;
	case DOC_SYNTAX_UNKNOWN:
	default:
		return err_set(e, ERR_INVALID, "unknown syntax");
	}
	return b->failed ? err_set(e, ERR_LIMIT, "over %zu bytes", b->max) : 0;
}
