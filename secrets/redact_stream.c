/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Text in, redacted text out.  The buffer begins where the end of what came so
 * far may be the beginning of a secret; its first `emitted` bytes are out
 * already (by a tick, or because they are masked whatever follows) and are
 * only there so that the rest of a match is masked.
 */
#include "secrets/redact_internal.h"

#include "base/mem.h"
#include <assert.h>
#include <string.h>

struct redact_stream {
	struct redact_scan scan;
	redact_sink_fn *sink;
	void *ctx;
	size_t emitted;
	bool open; /* the last thing that went out is a marker */
};

static struct redact_stream *stream_new(const struct redact_set *set,
					redact_sink_fn *sink, void *ctx,
					size_t cap)
{
	struct redact_stream *s = mem_alloc(sizeof(*s));

	redact_scan_init(&s->scan, set, cap);
	s->sink = sink;
	s->ctx = ctx;
	return s;
}

struct redact_stream *redact_stream_new(const struct redact_set *set,
					redact_sink_fn *sink, void *ctx)
{
	return stream_new(set, sink, ctx, REDACT_SCAN_CAP);
}

void redact_stream_free(struct redact_stream *s)
{
	if (!s)
		return;
	redact_scan_done(&s->scan);
	mem_free(s);
}

static void text(struct redact_stream *s, size_t to)
{
	if (to <= s->emitted)
		return;
	s->sink(s->ctx, redacted_vouch(str_n((char *)s->scan.buf + s->emitted,
					     to - s->emitted)));
	s->emitted = to;
	s->open = false;
}

/* One marker for all that touches. */
static void mark(struct redact_stream *s, size_t to)
{
	if (to <= s->emitted)
		return;
	if (!s->open) {
		s->sink(s->ctx, REDACTED(REDACT_MARK));
		s->scan.counts.marks++;
	}
	s->emitted = to;
	s->open = true;
}

/* Let out everything before `to`, and what is masked from there on. */
static void emit(struct redact_stream *s, size_t to)
{
	const struct redact_scan *scan = &s->scan;
	size_t len = scan->len;

	while (s->emitted < to) {
		text(s, redact_scan_next(scan, s->emitted, to, true));
		mark(s, redact_scan_next(scan, s->emitted, len, false));
	}
	mark(s, redact_scan_next(scan, s->emitted, len, false));
}

void redact_stream_write(struct redact_stream *s, const void *p, size_t len)
{
	const uint8_t *from = p;

	while (len) {
		size_t n = redact_scan_put(&s->scan, from, len);
		size_t keep;

		assert(n); /* the hold-back is bounded below the room */
		from += n;
		len -= n;
		redact_scan_run(&s->scan);
		emit(s, s->scan.hold_at);
		keep = s->scan.keep_from;
		redact_scan_drop(&s->scan, keep);
		s->emitted -= keep;
	}
}

bool redact_stream_waits(const struct redact_stream *s)
{
	return s->emitted < s->scan.len && s->scan.hold_kept < REDACT_MIN;
}

void redact_stream_tick(struct redact_stream *s)
{
	redact_scan_run(&s->scan);
	if (redact_stream_waits(s))
		emit(s, s->scan.len);
}

/* With the buffer scanned: its end is the end of the text. */
static void finish(struct redact_stream *s, bool cut)
{
	struct redact_scan *scan = &s->scan;

	if (cut && scan->hold_kept >= REDACT_MIN) {
		emit(s, scan->hold_at);
		if (s->emitted < scan->hold_end) {
			s->sink(s->ctx, REDACTED(REDACT_MARK_PARTIAL));
			scan->counts.marks++;
			scan->counts.partial++;
			s->emitted = scan->hold_end;
			s->open = true;
		}
	}
	emit(s, scan->len);
	redact_scan_drop(scan, scan->len);
	s->emitted = 0;
	s->open = false;
}

void redact_stream_end(struct redact_stream *s)
{
	redact_scan_run(&s->scan);
	finish(s, true);
}

void redact_stream_swap(struct redact_stream *s, const struct redact_set *set)
{
	assert(set->n >= s->scan.set->n);
	redact_scan_swap(&s->scan, set);
}

const struct redact_counts *redact_stream_counts(const struct redact_stream *s)
{
	return &s->scan.counts;
}

uint64_t redact_stream_seen(const struct redact_stream *s, size_t i)
{
	assert(i < s->scan.set->n);
	return s->scan.seen[i];
}

uint64_t redact_stream_total(const struct redact_stream *s)
{
	return s->scan.n_seen;
}

struct redact_watch *redact_watch_after(const struct redact_stream *s)
{
	struct redact_watch *w = redact_watch_new(s->scan.set);

	redact_watch_write(w, s->scan.buf, s->scan.len);
	return w;
}

static void to_buf(void *ctx, struct redacted_str s)
{
	buf_str(ctx, s.clean);
}

int redact_buf(const struct redact_set *set, const void *p, size_t len,
	       bool cut, struct buf *out)
{
	size_t cap = len < REDACT_SCAN_CAP ? len : REDACT_SCAN_CAP;
	struct redact_stream *s = stream_new(set, to_buf, out, cap);
	uint64_t marks;

	redact_stream_write(s, p, len);
	redact_scan_run(&s->scan);
	finish(s, cut);
	marks = s->scan.counts.marks;
	redact_stream_free(s);
	if (out->failed)
		return -1;
	return marks > INT32_MAX ? INT32_MAX : (int)marks;
}

int redact_text(const struct redact_set *set, struct str s, bool cut,
		struct buf *room, struct redacted_str *ret)
{
	int marks = set              ? redact_buf(set, s.p, s.len, cut, room) :
		    buf_str(room, s) ? 0 :
				       -1;

	if (marks >= 0)
		*ret = redacted_vouch(buf_view(room));
	return marks;
}
