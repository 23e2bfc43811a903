/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Where two trees differ; see doc.h.  Both are bounded by DOC_DEPTH_MAX. */
#include "doc/doc.h"

struct diff {
	struct buf *b;
	struct err *e;
	bool any;
};

static int put(struct diff *d, const char *op, const struct doc_node *from,
	       const struct doc_node *to)
{
	CLEANUP_BUF struct buf pointer = BUF_INIT(65536);

	doc_pointer_of(to ? to : from, &pointer);
	buf_printf(d->b, "%s{\"op\":\"%s\",\"pointer\":\"", d->any ? "," : "",
		   op);
	d->any = true;
	buf_json(d->b, buf_view(&pointer));
	buf_putc(d->b, '"');
	if (from) {
		buf_puts(d->b, ",\"from\":");
		if (doc_write_canonical(from, d->b, d->e))
			return -1;
	}
	if (to) {
		buf_puts(d->b, ",\"to\":");
		if (doc_write_canonical(to, d->b, d->e))
			return -1;
	}
	buf_putc(d->b, '}');
	return 0;
}

static int nodes(struct diff *d, const struct doc_node *from,
		 const struct doc_node *to);

static int maps(struct diff *d, const struct doc_node *from,
		const struct doc_node *to)
{
	for (const struct doc_node *n = from->first; n; n = n->next) {
		const struct doc_node *other = doc_get_str(to, n->key);

		if (other ? nodes(d, n, other) : put(d, "remove", n, NULL))
			return -1;
	}
	for (const struct doc_node *n = to->first; n; n = n->next)
		if (!doc_get_str(from, n->key) && put(d, "add", NULL, n))
			return -1;
	return 0;
}

static int lists(struct diff *d, const struct doc_node *from,
		 const struct doc_node *to)
{
	const struct doc_node *a = from->first, *z = to->first;

	for (; a && z; a = a->next, z = z->next)
		if (nodes(d, a, z))
			return -1;
	for (; a; a = a->next)
		if (put(d, "remove", a, NULL))
			return -1;
	for (; z; z = z->next)
		if (put(d, "add", NULL, z))
			return -1;
	return 0;
}

static int nodes(struct diff *d, const struct doc_node *from,
		 const struct doc_node *to)
{
	if (doc_equal(from, to))
		return 0;
	if (from->kind == DOC_MAP && to->kind == DOC_MAP)
		return maps(d, from, to);
	if (from->kind == DOC_LIST && to->kind == DOC_LIST)
		return lists(d, from, to);
	return put(d, "replace", from, to);
}

int doc_diff(const struct doc_node *from, const struct doc_node *to,
	     struct buf *b, struct err *e)
{
	struct diff d = {.b = b, .e = e};

	buf_putc(b, '[');
	if (nodes(&d, from, to))
		return -1;
	if (!buf_putc(b, ']'))
		return err_set(e, ERR_LIMIT, "the difference is too large");
	return 0;
}
