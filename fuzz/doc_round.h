/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* For the three targets of src/doc: what parses must be writable in all
 * syntaxes and read back as the same tree. */
#pragma once

#include "doc/doc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void round_trip(const struct doc *d, enum doc_syntax to)
{
	struct problems *ps = mem_alloc(sizeof(*ps));
	struct buf b = BUF_INIT(64 << 20);
	struct doc *again;
	struct err e;

	if (doc_write(d->root, to, &b, &e)) {
		/* null and big numbers; never what came from TOML */
		if (to != DOC_TOML || d->syntax == DOC_TOML)
			abort();
	} else {
		if (doc_parse_max(buf_view(&b), to, b.max, &again, ps) ||
		    !doc_equal(d->root, again->root))
			abort();
		doc_free(again);
	}
	buf_done(&b);
	mem_free(ps);
}

static int round_trips(const uint8_t *data, size_t len, enum doc_syntax from)
{
	struct problems *ps = mem_alloc(sizeof(*ps));
	struct buf b = BUF_INIT(64 << 20);
	struct doc *d;
	struct err e;

	if (doc_parse(str_n((const char *)data, len), from, &d, ps)) {
		if (!ps->n || !problems_print(ps, "-", &b) ||
		    !str_utf8_valid(buf_view(&b)))
			abort();
	} else {
		round_trip(d, DOC_YAML);
		round_trip(d, DOC_JSON);
		round_trip(d, DOC_TOML);
		(void)!doc_write_canonical(d->root, &b, &e);
		doc_free(d);
	}
	buf_done(&b);
	mem_free(ps);
	return 0;
}
