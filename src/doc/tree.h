/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Growing a tree while parsing, within its bounds; for src/doc alone. */
#pragma once

#include "base/map.h"
#include "doc/doc.h"

enum {
	DOC_ARENA_MAX = 64 << 20,
	TREE_WIDE = 16, /* entries; a wider map has its keys in an index */
};

/* Zero-initialise doc and ps (NULL: nobody is told), then tree_done(). */
struct tree {
	struct doc *doc;
	struct problems *ps;
	size_t n_nodes;
	struct map *wide; /* parent and key to node, of wide maps */
	struct buf wide_key;
};

struct doc *tree_doc_new(enum doc_syntax syntax);
void tree_done(struct tree *t); /* not the document */

/*
 * A new node at the end of parent (NULL: the root); text and key are copied.
 * NULL after a problem was added: too many nodes, too much text, a key twice.
 */
struct doc_node *tree_add(struct tree *t, struct doc_node *parent,
			  enum doc_kind kind, struct str text,
			  struct doc_place at, const struct str *key,
			  struct doc_place key_at);
/* Add the problem; -1. */
int tree_too_deep(struct tree *t, struct doc_place at);
/* The whole text: size, UTF-8, NUL.  Skips a byte order mark.  -1: added. */
MUST_USE int tree_check_text(struct str *text, size_t max, struct problems *ps);
/* Line and column (in characters) of an offset into text. */
struct doc_place tree_place(struct str text, size_t offset);
