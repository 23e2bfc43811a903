/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Building trees in memory, and comparing them; see doc.h. */
#include "doc/tree.h"
#include "doc/write.h"

#include <inttypes.h>
#include <stdio.h>

struct doc *doc_new(void)
{
	struct doc *d = tree_doc_new(DOC_JSON);

	doc_add(d, NULL, str_n(NULL, 0), DOC_MAP, str_n(NULL, 0));
	return d;
}

struct doc_node *doc_add(struct doc *d, struct doc_node *parent, struct str key,
			 enum doc_kind kind, struct str text)
{
	struct tree t = {.doc = d};
	bool keyed = parent && parent->kind == DOC_MAP;

	return tree_add(&t, parent, kind, text, (struct doc_place){0, 0},
			keyed ? &key : NULL, (struct doc_place){0, 0});
}

struct doc_node *doc_add_str(struct doc *d, struct doc_node *parent,
			     const char *key, struct str text)
{
	return doc_add(d, parent, str_from(key), DOC_STRING, text);
}

struct doc_node *doc_add_int(struct doc *d, struct doc_node *parent,
			     const char *key, int64_t v)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, v);
	return doc_add(d, parent, str_from(key), DOC_INT, str_from(text));
}

struct doc_node *doc_add_bool(struct doc *d, struct doc_node *parent,
			      const char *key, bool v)
{
	return doc_add(d, parent, str_from(key), DOC_BOOL,
		       v ? STR("true") : STR("false"));
}

struct doc_node *doc_add_map(struct doc *d, struct doc_node *parent,
			     const char *key)
{
	return doc_add(d, parent, str_from(key), DOC_MAP, str_n(NULL, 0));
}

struct doc_node *doc_add_list(struct doc *d, struct doc_node *parent,
			      const char *key)
{
	return doc_add(d, parent, str_from(key), DOC_LIST, str_n(NULL, 0));
}

/* --- comparing ---------------------------------------------------------- */

/* The kind, as far as every syntax can tell it. */
static enum doc_kind common_kind(const struct doc_node *n)
{
	enum doc_kind kind = doc_write_kind(n);

	return kind == DOC_TIME ? DOC_STRING : kind;
}

static bool same_map(const struct doc_node *a, const struct doc_node *b)
{
	struct doc_node *other = b->first;

	if (a->n != b->n)
		return false;
	for (struct doc_node *k = a->first; k; k = k->next) {
		/* mostly they have the same order */
		if (!other || !str_eq(other->key, k->key))
			other = doc_get_str(b, k->key);
		if (!other || !doc_equal(k, other))
			return false;
		other = other->next;
	}
	return true;
}

bool doc_equal(const struct doc_node *a, const struct doc_node *b)
{
	enum doc_kind kind = common_kind(a);
	struct doc_node *other = b->first;

	if (kind != common_kind(b))
		return false;
	if (kind == DOC_NULL)
		return true;
	if (kind == DOC_MAP)
		return same_map(a, b);
	if (kind != DOC_LIST)
		return str_eq(a->text, b->text);
	for (struct doc_node *k = a->first; k; k = k->next) {
		if (!other || !doc_equal(k, other))
			return false;
		other = other->next;
	}
	return !other;
}
