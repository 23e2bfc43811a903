/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is wrong with a document, collected in one pass: a stable code, a JSON
 * pointer, line and column, a sentence and a hint that teaches.  Printed as
 * FILE:LINE:COLUMN: error: MESSAGE (HINT) [CODE] or as JSON.
 */
#pragma once

#include "base/buf.h"
#include <stdint.h>

enum {
	PROBLEMS_MAX = 50,
	PROBLEM_TEXT_MAX = 240,
	PROBLEM_POINTER_MAX = 160
};

struct doc_place {
	uint32_t line,
		column; /* from 1; column counts characters; 0: unknown */
};

struct problem {
	char code[32]; /* "unknown-key"; stable, documented */
	char pointer[PROBLEM_POINTER_MAX]; /* RFC 6901 */
	struct doc_place at;
	char message[PROBLEM_TEXT_MAX];
	char hint[PROBLEM_TEXT_MAX]; /* "" when there is none */
};

/* Zero-initialise.  Past PROBLEMS_MAX only n_dropped grows. */
struct problems {
	struct problem items[PROBLEMS_MAX];
	size_t n, n_dropped;
};

struct doc_node;

/* Add one at a node (its pointer and place), or at its key. */
void problem_at(struct problems *ps, const struct doc_node *node,
		const char *code, const char *hint, const char *fmt, ...)
	PRINTF_LIKE(5, 6);
void problem_at_key(struct problems *ps, const struct doc_node *node,
		    const char *code, const char *hint, const char *fmt, ...)
	PRINTF_LIKE(5, 6);
/* Add one where there is no node (syntax errors, limits). */
void problem_add(struct problems *ps, struct doc_place at, const char *code,
		 const char *hint, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* Sort by place, so that the output follows the file. */
void problems_sort(struct problems *ps);
/* One line each; file may be "-". */
bool problems_print(const struct problems *ps, const char *file, struct buf *b);
/* [{"code","pointer","line","column","message","hint"}] */
bool problems_json(const struct problems *ps, struct buf *b);
