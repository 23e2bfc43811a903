/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Terminal sequences: a secret with a colour change in its middle.  The
 * squeezed view drops the escape character but keeps the sequence's letters;
 * here the text is seen without them, but only near them, because that is
 * where the two differ.
 */
#include "secrets/redact_internal.h"

#include <string.h>

/* ESC ] ... BEL, or with ESC \ at the end. */
static size_t string_len(const uint8_t *p, size_t n)
{
	for (size_t i = 2; i < n && i < REDACT_GAP_MAX; i++) {
		if (p[i] == 0x07)
			return i + 1;
		if (p[i] == 0x1b && i + 1 < n)
			return p[i + 1] == '\\' ? i + 2 : i;
	}
	return n < REDACT_GAP_MAX ? n : 1;
}

/* Parameters and intermediates, then a final byte of at least `final`. */
static size_t control_len(const uint8_t *p, size_t n, size_t i, uint8_t middle,
			  uint8_t final)
{
	for (; i < n && i < REDACT_GAP_MAX; i++) {
		if (p[i] >= 0x20 && p[i] <= middle)
			continue;
		return p[i] >= final && p[i] <= 0x7e ? i + 1 : i;
	}
	return n < REDACT_GAP_MAX ? n : 1;
}

size_t redact_escape_len(const uint8_t *p, size_t n)
{
	if (n < 2)
		return n;
	if (p[1] == '[')
		return control_len(p, n, 2, 0x3f, 0x40);
	if (p[1] == ']' || p[1] == 'P' || p[1] == 'X' || p[1] == '^' ||
	    p[1] == '_')
		return string_len(p, n);
	return control_len(p, n, 1, 0x2f, 0x30);
}

/* The place `reach` kept bytes before p[at], not over too large a gap. */
static size_t back(const uint8_t *p, size_t at, size_t reach)
{
	size_t from = at, gap = 0;

	while (at-- && reach && gap <= REDACT_GAP_MAX) {
		if (!redact_kept(p[at])) {
			gap++;
			continue;
		}
		from = at;
		gap = 0;
		reach--;
	}
	return from;
}

struct window {
	struct redact_ansi *a;
	size_t reach;
	redact_ansi_fn *fn;
	void *ctx;
};

static void put(struct window *w, uint8_t c, size_t at)
{
	struct redact_ansi *a = w->a;

	if (a->n == REDACT_ANSI_MAX) {
		w->fn(w->ctx, a);
		memmove(a->b, a->b + a->n - w->reach, w->reach);
		memmove(a->at, a->at + a->n - w->reach,
			w->reach * sizeof(*a->at));
		a->n = w->reach;
	}
	a->b[a->n] = c;
	a->at[a->n++] = (uint32_t)at;
}

/* From `at` until reach bytes behind the last sequence; p[esc] is the first.
 * Returns the place behind; *gap is what was dropped right before it. */
static size_t walk(struct window *w, const uint8_t *p, size_t len, size_t at,
		   size_t esc, size_t *gap)
{
	size_t since = 0;

	*gap = 0;
	while (at < len && (at <= esc || since < w->reach)) {
		size_t skip = 1;

		if (p[at] == 0x1b) {
			skip = redact_escape_len(p + at, len - at);
			since = 0;
		}
		if (!redact_kept(p[at])) {
			/* At the end it may be incomplete, and turn out to be
			 * no sequence at all: no gap is too large yet. */
			*gap += at + skip < len ? skip : 1;
			at += skip;
			continue;
		}
		if (*gap > REDACT_GAP_MAX)
			put(w, 0, at);
		*gap = 0;
		put(w, p[at], at);
		since++;
		at++;
	}
	return at;
}

bool redact_ansi(struct redact_ansi *a, const uint8_t *p, size_t len,
		 size_t reach, redact_ansi_fn *fn, void *ctx)
{
	struct window w = {a, reach, fn, ctx};
	const uint8_t *esc;
	size_t at = 0, gap = 0;

	a->n = 0;
	while (at < len && (esc = memchr(p + at, 0x1b, len - at))) {
		size_t place = (size_t)(esc - p);

		a->n = 0;
		at = walk(&w, p, len, back(p, place, reach), place, &gap);
		fn(ctx, a);
	}
	return a->n && at == len && gap <= REDACT_GAP_MAX;
}
