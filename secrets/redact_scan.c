/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One buffer of text through all views: which bytes are of a secret, and from
 * where on the end may be the beginning of one.  Pure of any output; streams
 * and watches are made of it.
 */
#include "secrets/redact_internal.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

enum {
	HITS_MAX = 1024 /* of one run that are counted by name */
};

/* A part of the one mapping, in the order of the calls. */
static void *carve(struct guard *g, size_t *used, size_t len)
{
	void *p = (uint8_t *)g->p + *used;

	*used += (len + 15) & ~(size_t)15;
	return p;
}

void redact_scan_init(struct redact_scan *s, const struct redact_set *set,
		      size_t cap)
{
	size_t blocks = cap / REDACT_BLOCK + 1, used = 0;

	*s = (struct redact_scan){.cap = blocks * REDACT_BLOCK};
	s->mem = redact_guard(2 * s->cap + 2 * REDACT_BLOCK +
			      (blocks + 1) *
				      (sizeof(*s->sq.map) +
				       sizeof(*s->sq.kept) + sizeof(*s->mask)) +
			      80);
	s->buf = carve(&s->mem, &used, s->cap + REDACT_BLOCK);
	s->sq.b = carve(&s->mem, &used, s->cap + REDACT_BLOCK);
	s->sq.map = carve(&s->mem, &used, blocks * sizeof(*s->sq.map));
	s->sq.kept = carve(&s->mem, &used, blocks * sizeof(*s->sq.kept));
	s->mask = carve(&s->mem, &used, (blocks + 1) * sizeof(*s->mask));
	s->hits = mem_array(HITS_MAX, sizeof(*s->hits));
	redact_scan_swap(s, set);
}

void redact_scan_done(struct redact_scan *s)
{
	guard_unmap(&s->mem);
	guard_unmap(&s->ansi_mem);
	mem_free(s->hits);
	mem_free(s->seen);
	mem_free(s->seen_to);
	*s = (struct redact_scan){0};
}

void redact_scan_swap(struct redact_scan *s, const struct redact_set *set)
{
	size_t old = s->set ? s->set->n : 0;

	s->seen = mem_resize(s->seen, set->n, sizeof(*s->seen));
	s->seen_to = mem_resize(s->seen_to, set->n, sizeof(*s->seen_to));
	for (size_t i = old; i < set->n; i++)
		s->seen[i] = s->seen_to[i] = 0;
	s->set = set;
}

size_t redact_scan_put(struct redact_scan *s, const void *p, size_t len)
{
	if (len > s->cap - s->len)
		len = s->cap - s->len;
	memcpy(s->buf + s->len, p, len);
	s->len += len;
	return len;
}

void redact_scan_drop(struct redact_scan *s, size_t n)
{
	memmove(s->buf, s->buf + n, s->len - n);
	s->len -= n;
	s->base += n;
}

static void mask_range(struct redact_scan *s, size_t from, size_t to)
{
	size_t first = from / 64, last = (to - 1) / 64;
	uint64_t head = ~(uint64_t)0 << (from % 64);
	uint64_t tail = ~(uint64_t)0 >> (63 - (to - 1) % 64);

	s->mask_from = from < s->mask_from ? from : s->mask_from;
	s->mask_to = to > s->mask_to ? to : s->mask_to;
	if (first == last) {
		s->mask[first] |= head & tail;
		return;
	}
	s->mask[first] |= head;
	for (size_t i = first + 1; i < last; i++)
		s->mask[i] = ~(uint64_t)0;
	s->mask[last] |= tail;
}

size_t redact_scan_next(const struct redact_scan *s, size_t from, size_t to,
			bool masked)
{
	uint64_t flip = masked ? 0 : ~(uint64_t)0;

	if (!masked && (from < s->mask_from || from >= s->mask_to))
		return from;
	if (masked && from < s->mask_from)
		from = s->mask_from;
	if (masked && from >= s->mask_to)
		return to;
	while (from < to) {
		uint64_t word = (s->mask[from / 64] ^ flip) >> (from % 64);

		if (word) {
			from += (size_t)__builtin_ctzll(word);
			break;
		}
		from = (from / 64 + 1) * 64;
	}
	return from < to ? from : to;
}

static void add_hit(struct redact_scan *s, size_t from, size_t to,
		    uint32_t secret)
{
	mask_range(s, from, to);
	if (s->n_hits && s->hits[s->n_hits - 1].secret == secret &&
	    s->hits[s->n_hits - 1].from <= from &&
	    s->hits[s->n_hits - 1].to >= from) {
		if (to > s->hits[s->n_hits - 1].to)
			s->hits[s->n_hits - 1].to = (uint32_t)to;
		return;
	}
	if (s->n_hits < HITS_MAX)
		s->hits[s->n_hits++] = (struct redact_hit){
			secret, (uint32_t)from, (uint32_t)to};
}

static void raw_hit(void *ctx, size_t at, const struct redact_pat *p)
{
	add_hit(ctx, at, at + p->len, p->secret);
}

/* Hits that overlap are put together before they are mapped to the text: in
 * "aaaa..." there is one for every byte. */
static void pending_hit(void *ctx, size_t at, const struct redact_pat *p)
{
	struct redact_scan *s = ctx;
	struct redact_hit *h = &s->pending;
	uint32_t from = (uint32_t)at, to = from + p->len;

	if (h->to && h->secret == p->secret && from < h->to && to > h->from) {
		h->from = from < h->from ? from : h->from;
		h->to = to > h->to ? to : h->to;
		return;
	}
	s->map_pending(s);
	*h = (struct redact_hit){p->secret, from, to};
}

static void map_squeezed(struct redact_scan *s)
{
	struct redact_hit *h = &s->pending;

	if (h->to)
		add_hit(s, redact_squeeze_origin(&s->sq, h->from),
			redact_squeeze_origin(&s->sq, h->to - 1) + 1,
			h->secret);
	h->to = 0;
}

static size_t ansi_origin(struct redact_scan *s, size_t i)
{
	return redact_squeeze_origin(&s->sq, redact_ansi_origin(s->ansi, i));
}

static void map_ansi(struct redact_scan *s)
{
	struct redact_hit *h = &s->pending;

	if (h->to)
		add_hit(s, ansi_origin(s, h->from),
			ansi_origin(s, h->to - 1) + 1, h->secret);
	h->to = 0;
}

/* Look for the patterns in one of the views without white space. */
static void match(struct redact_scan *s, const uint8_t *b, size_t n,
		  void (*map)(struct redact_scan *s))
{
	const struct redact_match *m = &s->set->match[REDACT_VIEW_SQUEEZED];

	s->map_pending = map;
	s->counts.verifies += redact_match_scan(m, b, n, pending_hit, s);
	map(s);
}

static void ansi_window(void *ctx, const struct redact_ansi *a)
{
	match(ctx, a->b, a->n, map_ansi);
}

static void hold(struct redact_scan *s, size_t at, size_t kept, size_t end)
{
	if (!kept)
		return;
	if (at < s->hold_at)
		s->hold_at = at;
	if (kept > s->hold_kept)
		s->hold_kept = kept;
	if (end > s->hold_end)
		s->hold_end = end;
}

/* Where the last kept byte of the buffer is; `len` when that is too far from
 * the end for a match to go on. */
static size_t last_kept(const struct redact_scan *s)
{
	for (size_t i = 0; i < s->len && i <= REDACT_GAP_MAX; i++)
		if (redact_kept(s->buf[s->len - 1 - i]))
			return s->len - 1 - i;
	return s->len;
}

/* Returns what the text has. */
static unsigned run_squeezed(struct redact_scan *s)
{
	const struct redact_match *m = &s->set->match[REDACT_VIEW_SQUEEZED];
	size_t last, n, reach = m->max_len ? m->max_len - 1 : 0;
	unsigned has;

	if (!m->n)
		return REDACT_HAS_ESC | REDACT_HAS_ODD; /* not looked at */
	memset(s->buf + s->len, ' ', REDACT_BLOCK);
	has = redact_squeeze(s->buf, s->len, &s->sq);
	match(s, s->sq.b, s->sq.n, map_squeezed);
	last = last_kept(s);
	if (last < s->len) {
		n = redact_match_hold(m, s->sq.b, s->sq.n);
		if (n)
			hold(s, redact_squeeze_origin(&s->sq, s->sq.n - n), n,
			     last + 1);
	}
	if (!(has & REDACT_HAS_ESC))
		return has;
	if (!s->ansi) {
		s->ansi_mem = redact_guard(sizeof(*s->ansi));
		s->ansi = s->ansi_mem.p;
	}
	if (redact_ansi(s->ansi, &s->sq, s->buf, s->len, reach, ansi_window,
			s)) {
		const struct redact_ansi *a = s->ansi;

		n = redact_match_hold(m, a->b, a->n);
		if (n)
			hold(s, ansi_origin(s, a->n - n), n,
			     ansi_origin(s, a->n - 1) + 1);
	}
	return has;
}

/* Where the buffer may begin next: at what is held, or at the terminal
 * sequence that begins before that, so that its letters are not taken for
 * text.  Only the last two ESC can be of it: ESC ] ... ESC \ has two. */
static size_t keep_from(const struct redact_scan *s)
{
	size_t from = s->hold_at, at = s->hold_at;
	const uint8_t *esc;

	for (int i = 0; i < 2 && at; i++) {
		size_t most = at < REDACT_GAP_MAX ? at : REDACT_GAP_MAX, end;

		esc = memrchr(s->buf + at - most, 0x1b, most);
		if (!esc)
			break;
		at = (size_t)(esc - s->buf);
		end = at + redact_escape_len(esc, s->len - at);
		if (end > s->hold_at || end == s->len)
			from = at;
	}
	return from;
}

static void run_raw(struct redact_scan *s, enum redact_view view, unsigned has)
{
	const struct redact_match *m = &s->set->match[view];
	size_t n;

	if (!m->n)
		return;
	if (has & REDACT_HAS_ODD || !m->all_odd)
		s->counts.verifies +=
			redact_match_scan(m, s->buf, s->len, raw_hit, s);
	n = redact_match_hold(m, s->buf, s->len);
	hold(s, s->len - n, n, s->len);
}

static int hit_cmp(const void *a, const void *b)
{
	const struct redact_hit *x = a, *y = b;

	if (x->secret != y->secret)
		return x->secret < y->secret ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

/* Ranges of one secret that overlap or touch are one time that it was seen,
 * also when a part of them was in the buffer before. */
static void count_hits(struct redact_scan *s)
{
	qsort(s->hits, s->n_hits, sizeof(*s->hits), hit_cmp);
	for (size_t i = 0; i < s->n_hits; i++) {
		const struct redact_hit *h = &s->hits[i];
		uint64_t from = s->base + h->from, to = s->base + h->to;

		if (from >= s->seen_to[h->secret] + !!s->seen[h->secret]) {
			s->seen[h->secret]++;
			s->n_seen++;
		}
		if (to > s->seen_to[h->secret])
			s->seen_to[h->secret] = to;
	}
	s->n_hits = 0;
}

void redact_scan_run(struct redact_scan *s)
{
	unsigned has;

	for (size_t i = s->mask_from / 64; i * 64 < s->mask_to; i++)
		s->mask[i] = 0;
	s->mask_from = SIZE_MAX;
	s->mask_to = 0;
	s->hold_at = s->len;
	s->hold_kept = s->hold_end = 0;
	has = run_squeezed(s);
	run_raw(s, REDACT_VIEW_RAW, has);
	run_raw(s, REDACT_VIEW_SHORT, has);
	s->keep_from = has & REDACT_HAS_ESC ? keep_from(s) : s->hold_at;
	if (s->n_hits)
		count_hits(s);
}
