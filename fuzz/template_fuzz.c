/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as a template and as a value: the parts are the text, and what is
 * quoted stays in its place. */
#include "doc/doc.h"
#include "doc/problem.h"
#include "job/template.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void cut(struct str text)
{
	struct str rest = text;
	struct template_part p;
	size_t before;
	struct err e;

	while (rest.len) {
		before = rest.len;
		if (template_next(&rest, &p, &e))
			return;
		if (rest.len >= before || rest.p < text.p ||
		    rest.p + rest.len != text.p + text.len)
			abort();
		if (p.kind == PART_TEXT &&
		    memmem(p.text.p, p.text.len, "${{", 3))
			abort();
		if (p.kind == PART_SECRET && !p.secret.len)
			abort();
	}
}

/* What comes out is one string, and the same. */
static void document(enum template_quote q, enum doc_syntax syntax,
		     struct str value)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	const struct doc_node *n;
	struct doc *d;
	struct err e;

	buf_puts(&b, "{\"k\": ");
	if (template_quote(q, value, &b, &e))
		return;
	buf_puts(&b, ", \"z\": 1}");
	if (doc_parse(buf_view(&b), syntax, &d, ps)) {
		/* what the house's own parser does not take in strings */
		if (value.len && !memmem(value.p, value.len, "\xef\xbf", 2))
			abort();
		return;
	}
	n = doc_get(d->root, "k");
	if (d->root->n != 2 || !n || !str_eq(n->text, value))
		abort();
	doc_free(d);
}

static void one_word(struct str value)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	bool inside = false;
	struct err e;
	size_t k = 0;

	if (template_quote(QUOTE_SHELL, value, &b, &e))
		return;
	for (size_t i = 0; i < b.len; i++) {
		char c = b.data[i];

		if (c == '\'') {
			inside = !inside;
			continue;
		}
		if (!inside && (c != '\\' || b.data[++i] != '\''))
			abort();
		if (k == value.len || b.data[i] != value.p[k++])
			abort();
	}
	if (inside || k != value.len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str s = str_n((const char *)data, len);
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	struct err e;

	if (len > 4096)
		return 0;
	cut(s);
	document(QUOTE_JSON, DOC_JSON, s);
	document(QUOTE_YAML, DOC_YAML, s);
	one_word(s);
	if (!template_quote(QUOTE_LINE, s, &b, &e) &&
	    memchr(b.data ? b.data : "", '\n', b.len))
		abort();
	return 0;
}
