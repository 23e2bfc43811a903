/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Expressions: literals, names, comparison, && || !, a few functions.  No
 * loops, no I/O, bounded; a value can never become code.
 *
 *   or    = and { "||" and }        and = cmp { "&&" cmp }
 *   cmp   = unary [ op unary ]      op  = == != < <= > >=
 *   unary = "!" unary | "(" or ")" | literal | name | name "(" args ")"
 *
 * A name of an instance, "tasks.build@gcc,3.10.outputs.v", goes from the @ to
 * ".outputs.NAME" or ".state".
 */
#pragma once

#include "doc/doc.h"

enum {
	EXPR_LEN_MAX = 4096,
	EXPR_DEPTH_MAX = 32,
	EXPR_TEXT_MAX = 1 << 20
};

enum expr_type {
	EXPR_STRING,
	EXPR_INT,
	EXPR_BOOL
};

/* Text is borrowed: from the expression, the context or the arena. */
struct expr_value {
	enum expr_type type;
	struct str text; /* also of int and bool: how they print */
	int64_t i;
	bool b;
};

struct expr_value expr_string(struct str s);
struct expr_value expr_int(struct arena *a, int64_t i);
struct expr_value expr_bool(bool b);

/*
 * What names mean.  lookup: "inputs.ref", "tasks.build.outputs.version", ...;
 * -1 with *e set when there is no such value.  state: of failed() and always();
 * task {NULL, 0} asks about any need.
 */
struct expr_context {
	int (*lookup)(void *ctx, struct str name, struct expr_value *ret,
		      struct err *e);
	bool (*failed)(void *ctx, struct str task);
	void *ctx;
	struct arena *arena;
};

MUST_USE int expr_eval(struct str text, const struct expr_context *c,
		       struct expr_value *ret, struct err *e);
/* Text with ${{ }} in it; appended to b. */
MUST_USE int expr_fill(struct str text, const struct expr_context *c,
		       struct buf *b, struct err *e);
/* 0, empty text, "false" and false are false. */
bool expr_truth(const struct expr_value *v);

/* Does it call failed() or always()?  (Then a failed need does not skip.) */
bool expr_asks_failure(struct str text);

/* A condition without the ${{ }} that some people write around it. */
struct str expr_bare(struct str text);

/*
 * Every name that is used, for checks; fn returns -1 to stop.  failed('T')
 * counts as a use of tasks.T.state.
 */
typedef int expr_name_fn(void *ctx, struct str name, struct err *e);
MUST_USE int expr_names(struct str text, bool is_template, expr_name_fn *fn,
			void *ctx, struct err *e);

/* Syntax only; problems are added at the node. */
void expr_check(const struct doc_node *n, struct str text, struct problems *ps);
void expr_check_template(const struct doc_node *n, struct str text,
			 struct problems *ps);
