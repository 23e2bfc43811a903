/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One set for all that an attempt lets out; see mask.h. */
#include "runner/mask.h"

#include "base/mem.h"

#include <assert.h>

enum {
	STREAMS_SEEN,
	BOTH_SEEN
};

static size_t n_of(const struct mask *m)
{
	return m->set ? redact_set_size(m->set) : 0;
}

void mask_done(struct mask *m)
{
	for (size_t i = 0; i < MASK_STREAMS; i++)
		redact_stream_free(m->streams[i]);
	for (size_t i = 0; i < MASK_WATCHES; i++)
		redact_watch_free(m->watches[i]);
	redact_watch_free(m->both);
	redact_set_free(m->set);
	mem_free(m->use);
	mem_free(m->seen);
	mem_free(m->joined);
	mem_free(m->before[STREAMS_SEEN]);
	mem_free(m->before[BOTH_SEEN]);
	*m = (struct mask){.set = NULL};
}

/* --- the set ------------------------------------------------------------ */

static void grow(uint64_t **list, size_t from, size_t to)
{
	*list = mem_resize(*list, to, sizeof(**list));
	for (size_t i = from; i < to; i++)
		(*list)[i] = 0;
}

static void swap(struct mask *m, struct redact_set *set)
{
	for (size_t i = 0; i < MASK_STREAMS; i++)
		if (m->streams[i])
			redact_stream_swap(m->streams[i], set);
	for (size_t i = 0; i < MASK_WATCHES; i++)
		if (m->watches[i])
			redact_watch_swap(m->watches[i], set);
	if (m->both)
		redact_watch_swap(m->both, set);
	redact_set_free(m->set);
	m->set = set;
}

int mask_add(struct mask *m, const struct mask_value *v, size_t n,
	     const struct str *words, size_t n_words, struct err *e)
{
	CLEANUP_MEM struct redact_secret *list =
		mem_array(n ? n : 1, sizeof(*list));
	size_t old = n_of(m);
	struct redact_set *set;

	for (size_t i = 0; i < n; i++)
		list[i] = (struct redact_secret){v[i].name, v[i].value};
	if (redact_set_add(m->set, list, n, words, n_words, &set, e))
		return -1;
	m->use = mem_resize(m->use, old + n, sizeof(*m->use));
	for (size_t i = 0; i < n; i++)
		m->use[old + i] = v[i].use;
	grow(&m->seen, old, old + n);
	grow(&m->joined, old, old + n);
	grow(&m->before[STREAMS_SEEN], old, old + n);
	grow(&m->before[BOTH_SEEN], old, old + n);
	swap(m, set);
	return 0;
}

void mask_explain(const struct mask *m, size_t first, mask_say_fn *fn,
		  void *ctx)
{
	for (size_t i = first; i < n_of(m); i++) {
		enum redact_status s = redact_set_status(m->set, i);

		if (s != REDACT_FULL)
			fn(ctx, redact_set_name(m->set, i),
			   redact_status_text(s));
	}
}

/* --- streams ------------------------------------------------------------ */

void mask_open(struct mask *m, size_t i, redact_sink_fn *sink, void *ctx)
{
	assert(!m->streams[i]);
	m->streams[i] = redact_stream_new(m->set, sink, ctx);
}

static uint64_t in_streams(const struct mask *m, size_t secret)
{
	uint64_t n = m->seen[secret];

	for (size_t i = 0; i < MASK_STREAMS; i++)
		if (m->streams[i])
			n += redact_stream_seen(m->streams[i], secret);
	return n;
}

void mask_close(struct mask *m, size_t i)
{
	if (!m->streams[i])
		return;
	m->marks += redact_stream_counts(m->streams[i])->marks;
	for (size_t k = 0; k < n_of(m); k++)
		m->seen[k] += redact_stream_seen(m->streams[i], k);
	redact_stream_free(m->streams[i]);
	m->streams[i] = NULL;
}

/* What the same bytes completed in the streams, and in both as one. */
static void compare(struct mask *m)
{
	for (size_t i = 0; i < n_of(m); i++) {
		uint64_t own = in_streams(m, i);
		uint64_t all = redact_watch_seen(m->both, i);
		uint64_t by_own = own - m->before[STREAMS_SEEN][i];
		uint64_t by_all = all - m->before[BOTH_SEEN][i];

		if (by_all > by_own)
			m->joined[i] += by_all - by_own;
		m->before[STREAMS_SEEN][i] = own;
		m->before[BOTH_SEEN][i] = all;
	}
}

static bool write_piece(struct mask *m, size_t i, const uint8_t *p, size_t len,
			bool watched)
{
	uint64_t before = redact_stream_total(m->streams[i]);
	bool fresh;

	redact_stream_write(m->streams[i], p, len);
	fresh = redact_stream_total(m->streams[i]) > before;
	if (watched && m->both && redact_watch_write(m->both, p, len))
		fresh = true;
	if (fresh && m->both)
		compare(m);
	return fresh;
}

/* The other stream begins: from here on both are also seen as one.  A stream
 * that has no secret to look for needs no second look. */
static void join(struct mask *m, size_t i)
{
	struct redact_stream *other = m->streams[!i];

	if (m->both || !other || !redact_set_patterns(m->set))
		return;
	m->both = redact_watch_after(other);
	for (size_t k = 0; k < n_of(m); k++) {
		m->before[STREAMS_SEEN][k] = in_streams(m, k);
		m->before[BOTH_SEEN][k] = redact_watch_seen(m->both, k);
	}
}

bool mask_write(struct mask *m, size_t i, const void *p, size_t len)
{
	const uint8_t *b = p;
	bool fresh;

	join(m, i);
	if (!m->both || len <= 4 * MASK_REACH)
		return write_piece(m, i, b, len, true);
	/* Only where the streams meet is there something new to see. */
	fresh = write_piece(m, i, b, MASK_REACH, true);
	fresh |= write_piece(m, i, b + MASK_REACH, len - 2 * MASK_REACH, false);
	redact_watch_skip(m->both);
	return write_piece(m, i, b + len - MASK_REACH, MASK_REACH, true) ||
	       fresh;
}

/* --- watches ------------------------------------------------------------ */

struct redact_watch *mask_watch(struct mask *m)
{
	for (size_t i = 0; i < MASK_WATCHES; i++)
		if (!m->watches[i])
			return m->watches[i] = redact_watch_new(m->set);
	assert(!"a watch for each that may be open");
	return NULL;
}

void mask_unwatch(struct mask *m, struct redact_watch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < MASK_WATCHES; i++)
		if (m->watches[i] == w)
			m->watches[i] = NULL;
	for (size_t i = 0; i < n_of(m); i++)
		m->seen[i] += redact_watch_seen(w, i);
	redact_watch_free(w);
}

int mask_caught(const struct mask *m, const struct redact_watch *w)
{
	for (size_t i = 0; i < n_of(m); i++)
		if (redact_watch_seen(w, i))
			return (int)m->use[i];
	return -1;
}

int mask_clear(struct mask *m, struct str s, struct redacted_str *ret)
{
	size_t i;

	if (!redact_clear(m->set, s, ret, &i))
		return -1;
	m->seen[i]++;
	return (int)m->use[i];
}

/* --- counts ------------------------------------------------------------- */

uint64_t mask_joined(const struct mask *m, size_t use)
{
	uint64_t n = 0;

	for (size_t i = 0; i < n_of(m); i++)
		if (m->use[i] == use)
			n += m->joined[i];
	return n;
}

uint64_t mask_seen(const struct mask *m, size_t use)
{
	uint64_t n = mask_joined(m, use);

	for (size_t i = 0; i < n_of(m); i++)
		if (m->use[i] == use)
			n += in_streams(m, i);
	return n;
}
