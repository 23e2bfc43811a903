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
