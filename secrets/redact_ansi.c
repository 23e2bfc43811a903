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

struct window {
	struct redact_ansi *a;
	const struct redact_squeezed *sq;
	size_t reach;
	redact_ansi_fn *fn;
	void *ctx;
};

size_t redact_ansi_origin(const struct redact_ansi *a, size_t i)
{
	size_t lo = 0, hi = a->n_runs;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (a->runs[mid].at <= i)
			lo = mid;
		else
			hi = mid;
	}
	return a->runs[lo].from + (i - a->runs[lo].at);
}

/* Make room, keeping what a match may still need. */
static void flush(struct window *w)
{
	struct redact_ansi *a = w->a;
	size_t keep = a->n < w->reach ? a->n : w->reach;
	size_t cut = a->n - keep, k = 0;

	w->fn(w->ctx, a);
	memmove(a->b, a->b + cut, keep);
	a->n = keep;
	while (k + 1 < a->n_runs && a->runs[k + 1].at <= cut)
		k++;
	a->n_runs -= k;
	memmove(a->runs, a->runs + k, a->n_runs * sizeof(*a->runs));
	for (k = 0; k < a->n_runs; k++) {
		uint32_t less = (uint32_t)cut;

		if (a->runs[k].at < less) { /* the first one, cut */
			a->runs[k].from += less - a->runs[k].at;
			less = a->runs[k].at;
		}
		a->runs[k].at -= less;
	}
}

/* After a flush there is room: b holds more than twice what is kept, and each
 * kept byte is of one run at most. */
static void run(struct window *w, size_t from, size_t to)
{
	struct redact_ansi *a = w->a;

	if (to == from)
		return;
	if (to - from >= REDACT_ANSI_MAX - a->n || a->n_runs == REDACT_RUNS_MAX)
		flush(w);
	a->runs[a->n_runs++] =
		(struct redact_run){(uint32_t)a->n, (uint32_t)from};
	memcpy(a->b + a->n, w->sq->b + from, to - from);
	a->n += to - from;
}

/* Nothing matches across this; run() leaves room for it. */
static void stop(struct window *w)
{
	w->a->b[w->a->n++] = 0;
	if (w->a->n == REDACT_ANSI_MAX)
		flush(w);
}

static size_t dropped_before(const uint8_t *p, size_t at)
{
	size_t n = 0;

	while (n < at && n <= REDACT_GAP_MAX && !redact_kept(p[at - 1 - n]))
		n++;
	return n;
}

static size_t dropped_after(const uint8_t *p, size_t len, size_t at)
{
	size_t n = 0;

	/* The next sequence is counted when it is met. */
	while (at + n < len && n <= REDACT_GAP_MAX && p[at + n] != 0x1b &&
	       !redact_kept(p[at + n]))
		n++;
	return n;
}

/* The squeezed text from `cur`, which is behind a sequence, to `to`, which is
 * before the next one or the end; a window ends after `reach` bytes. */
static void between(struct window *w, size_t cur, size_t to, bool next)
{
	if (to - cur <= w->reach) {
		run(w, cur, to);
		return;
	}
	run(w, cur, cur + w->reach);
	if (!next)
		return;
	stop(w);
	run(w, to - w->reach, to);
}

bool redact_ansi(struct redact_ansi *a, const struct redact_squeezed *sq,
		 const uint8_t *p, size_t len, size_t reach, redact_ansi_fn *fn,
		 void *ctx)
{
	struct window w = {a, sq, reach, fn, ctx};
	const uint8_t *esc = memchr(p, 0x1b, len);
	size_t at = 0, cur = 0, gap = 0, to;
	bool first = true;

	a->n = a->n_runs = 0;
	while (esc) {
		size_t place = (size_t)(esc - p), skip;

		to = redact_squeeze_index(sq, place);
		if (first && to > reach)
			cur = to - reach;
		if (to > cur) {
			if (gap > REDACT_GAP_MAX)
				stop(&w);
			between(&w, cur, to, true);
			gap = dropped_before(p, place);
		}
		first = false;
		skip = redact_escape_len(esc, len - place);
		at = place + skip;
		/* At the end it may be incomplete, and turn out to be no
		 * sequence at all: no gap is too large yet. */
		gap += at < len ? skip : 1;
		gap += dropped_after(p, len, at);
		cur = redact_squeeze_index(sq, at);
		esc = memchr(p + at, 0x1b, len - at);
	}
	to = sq->n;
	if (to > cur) {
		if (gap > REDACT_GAP_MAX)
			stop(&w);
		between(&w, cur, to, false);
		gap = dropped_before(p, len);
	}
	fn(ctx, a);
	return a->n && to - cur < reach && gap <= REDACT_GAP_MAX;
}
