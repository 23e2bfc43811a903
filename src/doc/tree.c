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

void tree_done(struct tree *t)
{
	map_free(t->wide, NULL);
	buf_done(&t->wide_key);
	t->wide = NULL;
}

/* The name of an entry among all maps of the tree. */
static struct str wide_key(struct tree *t, const struct doc_node *parent,
			   struct str key)
{
	t->wide_key.max = DOC_ARENA_MAX;
	buf_reset(&t->wide_key);
	buf_put(&t->wide_key, &parent, sizeof(parent));
	buf_str(&t->wide_key, key);
	return buf_view(&t->wide_key);
}

static bool is_twice(struct tree *t, const struct doc_node *parent,
		     struct str key)
{
	if (parent->n < TREE_WIDE || !t->ps)
		return doc_get_str(parent, key) != NULL;
	if (!t->wide)
		t->wide = map_new();
	if (parent->n == TREE_WIDE)
		for (struct doc_node *n = parent->first; n; n = n->next)
			map_put(t->wide, wide_key(t, parent, n->key), n);
	return map_get(t->wide, wide_key(t, parent, key)) != NULL;
}

static struct doc_node *refuse(struct tree *t, struct doc_place at,
			       const char *code, const char *hint,
			       const char *what)
{
	if (t->ps)
		problem_add(t->ps, at, code, hint, "%s", what);
	return NULL;
}

static struct doc_node *refuse_twice(struct tree *t, struct doc_place at,
				     struct str key)
{
	if (t->ps)
		problem_add(t->ps, at, "duplicate-key",
			    "a key stands once; remove one of the two",
			    "duplicate key \"" STR_FMT "\"", STR_ARG(key));
	return NULL;
}

int tree_too_deep(struct tree *t, struct doc_place at)
{
	problem_add(t->ps, at, "too-deep", NULL, "nested deeper than %d levels",
		    DOC_DEPTH_MAX);
	return -1;
}

static void append(struct tree *t, struct doc_node *parent, struct doc_node *n)
{
	n->parent = parent;
	if (!parent) {
		t->doc->root = n;
		return;
	}
	n->index = parent->n++;
	if (parent->last)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
	if (t->ps && parent->kind == DOC_MAP && n->index >= TREE_WIDE)
		map_put(t->wide, wide_key(t, parent, n->key), n);
}

struct doc_node *tree_add(struct tree *t, struct doc_node *parent,
			  enum doc_kind kind, struct str text,
			  struct doc_place at, const struct str *key,
			  struct doc_place key_at)
{
	struct arena *a = t->doc->arena;
	struct str k = key ? *key : STR("");
	const char *text_copy, *key_copy;
	struct doc_node *n;

	if (++t->n_nodes > DOC_NODES_MAX)
		return refuse(t, at, "too-many-values", NULL,
			      "more than 100000 values");
	if (key && parent && is_twice(t, parent, k))
		return refuse_twice(t, key_at, k);
	n = arena_alloc(a, sizeof(*n));
	text_copy = text.len ? arena_strndup(a, text.p, text.len) : "";
	key_copy = k.len ? arena_strndup(a, k.p, k.len) : "";
	if (!n || !text_copy || !key_copy)
		return refuse(t, at, "too-large", NULL, "too much content");
	n->kind = kind;
	n->at = at;
	n->text = str_n(text_copy, text.len);
	n->key = str_n(key_copy, k.len);
	if (key)
		n->key_at = key_at;
	append(t, parent, n);
	return n;
}

/* The first bad byte; the text is known to have one. */
static size_t find_bad(struct str text)
{
	size_t at = 0;

	while (at < text.len && text.p[at]) {
		size_t n = 1;

		while (n < 4 && at + n < text.len &&
		       !str_utf8_valid(str_n(text.p + at, n)))
			n++;
		if (!str_utf8_valid(str_n(text.p + at, n)))
			break;
		at += n;
	}
	return at;
}

int tree_check_text(struct str *text, size_t max, struct problems *ps)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct doc_place at = {1, 1};
	size_t bad;

	if (text->len > max) {
		problem_add(ps, at, "too-large",
			    "put large scripts into files of the source",
			    "more than %zu bytes of text", max);
		return -1;
	}
	if (str_starts(*text, str_from(bom)))
		*text = str_from_at(*text, 3);
	if (str_utf8_valid(*text) && !str_has(*text, '\0'))
		return 0;
	bad = find_bad(*text);
	at = tree_place(*text, bad);
	if (!text->p[bad])
		problem_add(ps, at, "nul", NULL, "a NUL byte");
	else
		problem_add(ps, at, "not-utf8", "save the file as UTF-8",
			    "a byte that is not UTF-8 (0x%02x)",
			    (unsigned char)text->p[bad]);
	return -1;
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
