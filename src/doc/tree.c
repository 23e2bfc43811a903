/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Growing a tree within its bounds; see tree.h. */
#include "doc/tree.h"

#include <string.h>

struct doc *tree_doc_new(enum doc_syntax syntax)
{
	struct doc *d = mem_alloc(sizeof(*d));

	d->arena = arena_new(DOC_ARENA_MAX);
	d->syntax = syntax;
	return d;
}

struct doc_node *tree_add(struct tree *t, struct doc_node *parent,
			  enum doc_kind kind, struct str text,
			  struct doc_place at, const struct str *key,
			  struct doc_place key_at)
{
	struct doc_node *n;
	char *copy;

	if (++t->n_nodes > DOC_NODES_MAX) {
		problem_add(t->ps, at, "too-many-values", NULL,
			    "more than %d values", DOC_NODES_MAX);
		return NULL;
	}
	if (key && parent && doc_get_str(parent, *key)) {
		problem_add(t->ps, key_at, "duplicate-key",
			    "a key stands once; remove one of the two",
			    "duplicate key \"" STR_FMT "\"", STR_ARG(*key));
		return NULL;
	}
	n = arena_alloc(t->doc->arena, sizeof(*n));
	copy = arena_strndup(t->doc->arena, text.p, text.len);
	if (!n || !copy) {
		problem_add(t->ps, at, "too-large", NULL, "too much content");
		return NULL;
	}
	n->kind = kind;
	n->at = at;
	n->text = str_n(copy, text.len);
	n->parent = parent;
	if (key) {
		copy = arena_strndup(t->doc->arena, key->p, key->len);
		n->key = str_n(copy ? copy : "", copy ? key->len : 0);
		n->key_at = key_at;
	}
	if (!parent) {
		t->doc->root = n;
		return n;
	}
	n->index = parent->n++;
	if (parent->last)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
	return n;
}

int tree_check_text(struct str *text, size_t max, struct problems *ps)
{
	static const char bom[] = "\xef\xbb\xbf";
	const struct doc_place start = {1, 1};

	if (text->len > max) {
		problem_add(ps, start, "too-large",
			    "put large scripts into files of the source",
			    "more than %zu bytes of text", max);
		return -1;
	}
	if (str_starts(*text, str_from(bom)))
		*text = str_from_at(*text, 3);
	for (size_t i = 0; i < text->len;) {
		size_t n = 1;

		while (n <= 4 && i + n <= text->len &&
		       !str_utf8_valid(str_n(text->p + i, n)))
			n++;
		if (n > 4 || i + n > text->len) {
			problem_add(ps, tree_place(*text, i), "not-utf8",
				    "save the file as UTF-8",
				    "a byte that is not UTF-8 (0x%02x)",
				    (unsigned char)text->p[i]);
			return -1;
		}
		if (!text->p[i]) {
			problem_add(ps, tree_place(*text, i), "nul", NULL,
				    "a NUL byte");
			return -1;
		}
		i += n;
	}
	return 0;
}

struct doc_place tree_place(struct str text, size_t offset)
{
	struct doc_place at = {1, 1};

	for (size_t i = 0; i < offset && i < text.len; i++) {
		if (text.p[i] == '\n') {
			at.line++;
			at.column = 1;
		} else if (((unsigned char)text.p[i] & 0xc0) != 0x80) {
			at.column++;
		}
	}
	return at;
}
