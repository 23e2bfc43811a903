/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One set for all that an attempt lets out; see mask.h. */
#include "runner/mask.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

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
	for (size_t i = 0; i < n_of(m); i++)
		secret_free(m->known[i].value);
	redact_set_free(m->set);
	mem_free(m->known);
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

static bool same_place(const struct mask *m, size_t i,
		       const struct mask_value *v)
{
	return m->known[i].use == v->use &&
	       !strcmp(redact_set_name(m->set, i), v->name);
}

/* That of a value of the same place that is long dead; else a new one. */
static size_t slot_for(const struct mask *m, const struct mask_value *v,
		       int64_t now_us)
{
	size_t n = n_of(m), same = 0, oldest = n;
	int64_t at = now_us - (int64_t)MASK_OLD_S * 1000000;

	for (size_t i = 0; i < n; i++) {
		if (!same_place(m, i, v))
			continue;
		same++;
		if (m->known[i].replaced_us && m->known[i].replaced_us <= at) {
			at = m->known[i].replaced_us;
			oldest = i;
		}
	}
	return same > MASK_OLD_N ? oldest : n;
}

/* All anew but for the one in the slot: the patterns of a set do not tell of
 * how many values they are. */
static int build_anew(const struct mask *m, size_t slot,
		      const struct redact_secret *v, const struct str *words,
		      size_t n_words, struct redact_set **ret, struct err *e)
{
	CLEANUP_MEM struct redact_secret *all =
		mem_array(n_of(m), sizeof(*all));

	for (size_t i = 0; i < n_of(m); i++)
		all[i] = (struct redact_secret){redact_set_name(m->set, i),
						m->known[i].value};
	all[slot] = *v;
	return redact_set_new(all, n_of(m), words, n_words, ret, e);
}

static void know(struct mask *m, size_t slot, const struct mask_value *v,
		 struct secret *copy, int64_t now_us)
{
	for (size_t i = 0; i < n_of(m); i++)
		if (same_place(m, i, v) && !m->known[i].replaced_us)
			m->known[i].replaced_us = now_us;
	secret_free(m->known[slot].value);
	m->known[slot] = (struct mask_known){.use = v->use, .value = copy};
}

static int copy_all(const struct mask_value *v, size_t n, struct secret **ret,
		    struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct secret_view b = secret_bytes(v[i].value);

		if (!secret_new(b.bytes, b.n_bytes, 0, &ret[i], e))
			continue;
		while (i)
			secret_free(ret[--i]);
		return -1;
	}
	return 0;
}

int mask_add(struct mask *m, const struct mask_value *v, size_t n,
	     const struct str *words, size_t n_words, int64_t now_us,
	     struct err *e)
{
	CLEANUP_MEM struct redact_secret *list =
		mem_array(n ? n : 1, sizeof(*list));
	CLEANUP_MEM struct secret **copies =
		mem_array(n ? n : 1, sizeof(struct secret *));
	size_t old = n_of(m), slot = n == 1 ? slot_for(m, v, now_us) : old;
	size_t all = slot < old ? old : old + n;
	struct redact_set *set;

	for (size_t i = 0; i < n; i++)
		list[i] = (struct redact_secret){v[i].name, v[i].value};
	if (copy_all(v, n, copies, e))
		return -1;
	if (slot < old ?
		    build_anew(m, slot, list, words, n_words, &set, e) :
		    redact_set_add(m->set, list, n, words, n_words, &set, e)) {
		for (size_t i = 0; i < n; i++)
			secret_free(copies[i]);
		return -1;
	}
	m->known = mem_resize(m->known, all, sizeof(*m->known));
	for (size_t i = old; i < all; i++)
		m->known[i] = (struct mask_known){.value = NULL};
	for (size_t i = 0; i < n; i++)
		know(m, slot + i, &v[i], copies[i], now_us);
	grow(&m->seen, old, all);
	grow(&m->joined, old, all);
	grow(&m->before[STREAMS_SEEN], old, all);
	grow(&m->before[BOTH_SEEN], old, all);
	m->last = slot;
	m->n_last = n;
	swap(m, set);
	return 0;
}

void mask_explain(const struct mask *m, mask_say_fn *fn, void *ctx)
{
	for (size_t i = m->last; i < m->last + m->n_last; i++) {
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
			return (int)m->known[i].use;
	return -1;
}

int mask_clear(struct mask *m, struct str s, struct redacted_str *ret)
{
	size_t i;

	if (!redact_clear(m->set, s, ret, &i))
		return -1;
	m->seen[i]++;
	return (int)m->known[i].use;
}

/* --- counts ------------------------------------------------------------- */

uint64_t mask_joined(const struct mask *m, size_t use)
{
	uint64_t n = 0;

	for (size_t i = 0; i < n_of(m); i++)
		if (m->known[i].use == use)
			n += m->joined[i];
	return n;
}

uint64_t mask_seen(const struct mask *m, size_t use)
{
	uint64_t n = mask_joined(m, use);

	for (size_t i = 0; i < n_of(m); i++)
		if (m->known[i].use == use)
			n += in_streams(m, i);
	return n;
}
