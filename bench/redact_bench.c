/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How fast the redactor is beside memcpy: 100 and 1000 secrets in all their
 * encodings, over text like a log's (text.h).
 *
 *	redact_bench [MiB of text, 64]
 */
#include "base/clock.h"
#include "base/mem.h"
#include "bench/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	SECRETS_MAX = 1000,
	ROUNDS = 5
};

/* CPU time: other work on the machine does not count. */
static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t n_planted;

/* What a sink does at the least: have the bytes somewhere else. */
static uint8_t sunk[256 << 10];

static void sink(void *ctx, struct redacted_str s)
{
	size_t len = s.clean.len;

	*(size_t *)ctx += len;
	memcpy(sunk, s.clean.p, len < sizeof(sunk) ? len : sizeof(sunk));
}

static double copy(struct str text, size_t chunk)
{
	double best = 1e9;

	for (int i = 0; i < ROUNDS; i++) {
		double from = seconds(), took;

		for (size_t at = 0; at + chunk <= text.len; at += chunk) {
			memcpy(sunk, text.p + at, chunk);
			__asm__ volatile("" ::: "memory");
		}
		took = seconds() - from;
		best = took < best ? took : best;
	}
	return (double)text.len / best * 1e-9;
}

static double redact(const struct redact_set *set, struct str text,
		     size_t chunk)
{
	double best = 1e9;

	for (int i = 0; i < ROUNDS; i++) {
		size_t out = 0;
		struct redact_stream *s = redact_stream_new(set, sink, &out);
		double from = seconds(), took;

		for (size_t at = 0; at < text.len; at += chunk)
			redact_stream_write(
				s, text.p + at,
				text.len - at < chunk ? text.len - at : chunk);
		redact_stream_end(s);
		took = seconds() - from;
		best = took < best ? took : best;
		if (redact_stream_counts(s)->marks < n_planted) {
			fprintf(stderr, "missed: %llu of %zu found\n",
				(unsigned long long)redact_stream_counts(s)
					->marks,
				n_planted);
			exit(1);
		}
		redact_stream_free(s);
	}
	return (double)text.len / best * 1e-9;
}

/* --- what a task that knows its secrets could write ---------------------- */

/* Their beginnings of so many bytes (0: all but the last), one after another. */
static void beginnings(struct buf *b, size_t len,
		       const struct redact_secret *secrets, size_t n,
		       size_t cut)
{
	for (size_t i = 0; b->len < len; i = (i + 7) % n) {
		struct secret_view v = secret_bytes(secrets[i].value);
		size_t most = v.n_bytes ? v.n_bytes - 1 : 0;

		buf_put(b, v.bytes, cut && cut < most ? cut : most);
	}
}

/* One beginning, over and over. */
static void the_same(struct buf *b, size_t len,
		     const struct redact_secret *secrets)
{
	struct secret_view v = secret_bytes(secrets[0].value);

	while (b->len < len)
		buf_put(b, v.bytes, v.n_bytes < 13 ? v.n_bytes - 1 : 12);
}

static void adversary(const struct redact_set *set, const char *what,
		      struct buf *b)
{
	n_planted = 0;
	printf("redact adversary=%s chunk=65536 GB/s=%.2f\n", what,
	       redact(set, buf_view(b), 65536));
	buf_done(b);
}

static void adversaries(const struct redact_secret *secrets, size_t n,
			const struct redact_set *set, size_t len)
{
	char text[64];
	struct redact_secret a = {"a", NULL};
	struct redact_set *with_a;
	struct secret *value;
	struct buf b = BUF_INIT(SIZE_MAX / 2);
	struct err e;

	beginnings(&b, len, secrets, n, 7);
	adversary(set, "7-bytes-of-each", &b);
	b = BUF_INIT(SIZE_MAX / 2);
	beginnings(&b, len, secrets, n, 0);
	adversary(set, "all-but-the-last", &b);
	b = BUF_INIT(SIZE_MAX / 2);
	the_same(&b, len, secrets);
	adversary(set, "12-bytes-of-one", &b);
	memset(text, 'a', sizeof(text));
	if (secret_new(text, sizeof(text), 0, &value, &e))
		exit(1);
	a.value = value;
	if (redact_set_add(set, &a, 1, NULL, 0, &with_a, &e))
		exit(1);
	b = BUF_INIT(SIZE_MAX / 2);
	while (b.len < len)
		buf_put(&b, text, sizeof(text));
	adversary(with_a, "one-letter", &b);
	redact_set_free(with_a);
	secret_free(value);
}

static void measure(size_t n, size_t len)
{
	static const size_t chunks[] = {4096, 65536};
	struct redact_secret secrets[SECRETS_MAX];
	struct buf text = BUF_INIT(SIZE_MAX / 2);
	struct redact_set *set;
	double from;
	struct err e;

	text_secrets(secrets, n);
	from = seconds();
	if (redact_set_new(secrets, n, NULL, 0, &set, &e))
		exit(1);
	printf("redact_build secrets=%zu patterns=%zu ms=%.1f\n", n,
	       redact_set_patterns(set), (seconds() - from) * 1e3);
	n_planted = text_make(&text, len, secrets, n);
	for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
		double ceiling = copy(buf_view(&text), chunks[i]);
		double ours = redact(set, buf_view(&text), chunks[i]);

		printf("memcpy chunk=%zu GB/s=%.2f\n", chunks[i], ceiling);
		printf("redact secrets=%zu chunk=%zu GB/s=%.2f "
		       "ratio_to_memcpy=%.3f\n",
		       n, chunks[i], ours, ours / ceiling);
	}
	adversaries(secrets, n, set, len / 4);
	redact_set_free(set);
	buf_done(&text);
}

int main(int argc, char **argv)
{
	uint64_t mib = 64;

	if (argc > 1 && str_to_u64(str_from(argv[1]), 4096, &mib))
		return 2;
	measure(100, (size_t)mib << 20);
	measure(1000, (size_t)mib << 20);
	return 0;
}
