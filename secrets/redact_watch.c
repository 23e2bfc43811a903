/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Detects secrets in what passes, and changes nothing; see redact.h. */
#include "secrets/redact_internal.h"

#include "base/mem.h"
#include <assert.h>

struct redact_watch {
	struct redact_scan scan;
};

struct redact_watch *redact_watch_new(const struct redact_set *set)
{
	struct redact_watch *w = mem_alloc(sizeof(*w));

	redact_scan_init(&w->scan, set, REDACT_SCAN_CAP);
	return w;
}

void redact_watch_free(struct redact_watch *w)
{
	if (!w)
		return;
	redact_scan_done(&w->scan);
	mem_free(w);
}

uint64_t redact_watch_write(struct redact_watch *w, const void *p, size_t len)
{
	uint64_t before = w->scan.n_seen;
	const uint8_t *from = p;

	while (len) {
		size_t n = redact_scan_put(&w->scan, from, len);

		assert(n);
		from += n;
		len -= n;
		redact_scan_run(&w->scan);
		redact_scan_drop(&w->scan, w->scan.keep_from);
	}
	return w->scan.n_seen - before;
}

void redact_watch_swap(struct redact_watch *w, const struct redact_set *set)
{
	assert(set->n >= w->scan.set->n);
	redact_scan_swap(&w->scan, set);
}

uint64_t redact_watch_seen(const struct redact_watch *w, size_t i)
{
	assert(i < w->scan.set->n);
	return w->scan.seen[i];
}

void redact_watch_skip(struct redact_watch *w)
{
	redact_scan_drop(&w->scan, w->scan.len);
}

int redact_clear(const struct redact_set *set, struct str s,
		 struct redacted_str *ret, size_t *ret_secret)
{
	struct redact_watch *w = redact_watch_new(set);
	uint64_t seen = redact_watch_write(w, s.p, s.len);
	size_t i = 0;

	while (seen && i < set->n && !redact_watch_seen(w, i))
		i++;
	redact_watch_free(w);
	if (seen) {
		*ret_secret = i;
		return 1;
	}
	*ret = redacted_vouch(s);
	return 0;
}
