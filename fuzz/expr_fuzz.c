/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as an expression and as a template: what checks is what runs. */
#include "job/expr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int lookup(void *ctx, struct str name, struct expr_value *ret,
		  struct err *e)
{
	const struct expr_context *c = ctx;

	(void)e;
	*ret = str_ends(name, STR("n")) ? expr_int(c->arena, 7) :
	       str_ends(name, STR("b")) ? expr_bool(true) :
					  expr_string(name);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct expr_context c = {lookup, NULL, &c, arena_new(1 << 20)};
	struct str text = str_n((const char *)data, len);
	CLEANUP_BUF struct buf b = BUF_INIT(EXPR_TEXT_MAX);
	struct expr_value v;
	struct err e;
	bool ok = !expr_names(text, false, NULL, NULL, &e);

	if (ok != !expr_eval(text, &c, &v, &e))
		abort();
	if (!ok && expr_asks_failure(text))
		abort();
	if (ok)
		(void)expr_truth(&v);
	ok = !expr_names(text, true, NULL, NULL, &e);
	if (ok != !expr_fill(text, &c, &b, &e) && !b.failed)
		abort();
	arena_free(c.arena);
	return 0;
}
