/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Growing a tree while parsing, within its bounds; for src/doc alone. */
#pragma once

#include "doc/doc.h"

enum {
	DOC_ARENA_MAX = 64 << 20
};

struct tree {
	struct doc *doc;
	struct problems *ps;
	size_t n_nodes, depth;
};

struct doc *tree_doc_new(enum doc_syntax syntax);

/*
 * A new node at the end of parent (NULL: the root); text and key are copied.
 * NULL after a problem was added: too many nodes, too deep, a key twice.
 */
struct doc_node *tree_add(struct tree *t, struct doc_node *parent,
			  enum doc_kind kind, struct str text,
			  struct doc_place at, const struct str *key,
			  struct doc_place key_at);
/* The whole text: size, UTF-8, NUL.  Skips a byte order mark.  -1: added. */
MUST_USE int tree_check_text(struct str *text, size_t max, struct problems *ps);
/* Line and column (in characters) of an offset into text. */
struct doc_place tree_place(struct str text, size_t offset);
