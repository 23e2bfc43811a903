/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* See jobscan.h. */
#include "api/jobscan.h"
#include "api/keeper.h"
#include "base/mem.h"

#include <string.h>

enum {
	PIECE = 15000, /* what the keeper takes at once */
	OVERLAP = 4096 /* a secret that is cut is whole in the next */
};

struct scan {
	struct keeper *k;
	struct str project, text;
	jobscan_fn *fn;
	void *ctx;
	size_t from;   /* of the piece */
	size_t lo, hi; /* seen in what ends at hi, not in what ends at lo */
	size_t end;    /* of what is asked for now */
	bool seen;
};

static void look(struct scan *s, size_t end);

static void finish(struct scan *s)
{
	uint32_t line = s->seen;

	for (size_t i = 0; s->seen && i < s->lo; i++)
		line += s->text.p[i] == '\n';
	s->fn(s->ctx, line);
	mem_free(s);
}

/* The end of a line between lo and hi, near the middle; hi: there is none. */
static size_t middle(const struct scan *s)
{
	size_t mid = s->lo + (s->hi - s->lo) / 2;
	const char *p = memchr(s->text.p + mid, '\n', s->hi - mid);
	size_t at = p ? (size_t)(p - s->text.p) + 1 : s->hi;

	if (at < s->hi)
		return at;
	p = memrchr(s->text.p + s->lo, '\n', mid - s->lo);
	return p ? (size_t)(p - s->text.p) + 1 : s->hi;
}

/* In which line of the piece. */
static void narrow(struct scan *s)
{
	size_t mid = middle(s);

	if (mid == s->hi || mid == s->lo)
		finish(s);
	else
		look(s, mid);
}

static void on_scanned(void *ctx, const struct keeper_answer *a)
{
	struct scan *s = ctx;

	if (a->err.code) {
		finish(s);
	} else if (s->seen) {
		*(a->number ? &s->hi : &s->lo) = s->end;
		narrow(s);
	} else if (a->number) {
		s->seen = true;
		s->lo = s->from;
		s->hi = s->end;
		narrow(s);
	} else if (s->end == s->text.len) {
		finish(s);
	} else {
		s->from = s->end - OVERLAP;
		look(s, s->text.len - s->from > PIECE ? s->from + PIECE :
							s->text.len);
	}
}

static void look(struct scan *s, size_t end)
{
	struct str piece = str_n(s->text.p + s->from, end - s->from);
	struct err e;

	s->end = end;
	if (keeper_scan(s->k, s->project, piece, on_scanned, s, &e))
		finish(s);
}

void jobscan(struct keeper *k, struct str project, struct str text,
	     jobscan_fn *fn, void *ctx)
{
	struct scan *s = mem_alloc(sizeof(*s));

	*s = (struct scan){
		.k = k, .project = project, .text = text, .fn = fn, .ctx = ctx};
	look(s, text.len < PIECE ? text.len : PIECE);
}
