/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How fast the redactor is beside memcpy: 100 and 1000 secrets in all their
 * encodings, over text like a log's (words, numbers, dates, hex, base64, a
 * colour here and there), with a secret about every 64 KiB.
 *
 *	redact_bench [MiB of text, 64]
 */
#include "base/clock.h"
#include "base/mem.h"
#include "secrets/redact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	EVERY = 64 << 10,
	SECRETS_MAX = 1000,
	ROUNDS = 5
};

static uint64_t state = 88172645463325252u;

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
			     "tuvwxyz0123456789+/";

/* CPU time: other work on the machine does not count. */
static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Tokens, hex keys, passwords, tokens with a vendor's prefix, binary keys. */
static size_t make_secret(uint8_t *o, unsigned kind)
{
	static const char *const vendor[] = {"ghp_",   "AKIA", "xoxb-",
					     "glpat-", "hvs.", "sk_live_"};
	size_t n = 8 + rnd() % 57, k = 0;
	const char *p;

	if (kind == 7)
		for (p = vendor[rnd() % 6]; *p && k < n;)
			o[k++] = (uint8_t)*p++;
	for (; k < n; k++) {
		if (kind < 4 || kind == 7)
			o[k] = (uint8_t)base64[rnd() % 62];
		else if (kind == 4)
			o[k] = (uint8_t) "0123456789abcdef"[rnd() % 16];
		else if (kind == 9)
			o[k] = (uint8_t)rnd();
		else
			o[k] = (uint8_t)(33 + rnd() % 94);
	}
	return n;
}

static void words(struct buf *b)
{
	static const char *const some[] = {"connection",
					   "established",
					   "from",
					   "client",
					   "worker",
					   "request",
					   "failed",
					   "retry",
					   "timeout",
					   "INFO",
					   "WARN",
					   "ERROR",
					   "GET",
					   "/api/v1/jobs",
					   "status=200",
					   "bytes=",
					   "duration=",
					   "user=alice",
					   "compiling",
					   "src/main.c",
					   "linking",
					   "libfoo.so",
					   "error:",
					   "unused",
					   "variable",
					   "in",
					   "function",
					   "at",
					   "line",
					   "checkout",
					   "branch",
					   "commit",
					   "download",
					   "https://registry.example.com/v2/",
					   "layer",
					   "sha256:",
					   "pulling",
					   "password",
					   "{\"level\":\"info\",\"msg\":\"",
					   "\"}",
					   "postgres://db.internal:5432/app",
					   "ok",
					   "passed",
					   "suite",
					   "container",
					   "exit",
					   "code",
					   "0"};

	for (uint64_t n = 3 + rnd() % 12; n--;) {
		buf_printf(b, "%s ", some[rnd() % ARRAY_LEN(some)]);
		if (rnd() % 4 == 0)
			buf_printf(b, "%u ", (unsigned)(rnd() % 100000));
	}
}

static void line(struct buf *b)
{
	uint64_t r = rnd(), how = r % 20;

	if (how < 12)
		buf_printf(b, "2026-11-23T08:%02u:%02u.%06uZ [%u] ",
			   (unsigned)(r >> 8) % 60, (unsigned)(r >> 16) % 60,
			   (unsigned)(r >> 24) % 1000000, (unsigned)(r >> 50));
	else if (how < 14)
		buf_printf(b, "10.%u.%u.%u - - ", (unsigned)(r >> 8) & 255,
			   (unsigned)(r >> 16) & 255,
			   (unsigned)(r >> 24) & 255);
	for (uint64_t n = how >= 18 ? 40 + rnd() % 100 : 0; n--;)
		buf_putc(b, how == 18 ? "0123456789abcdef"[rnd() % 16] :
					base64[rnd() % 64]);
	words(b);
	buf_puts(b, how == 17 ? "\033[31m\n" : "\n");
}

static size_t n_planted;

static void make_text(struct buf *b, size_t len,
		      const struct redact_secret *secrets, size_t n)
{
	size_t next = EVERY;

	n_planted = 0;
	while (b->len < len) {
		line(b);
		if (b->len >= next) {
			struct secret_view v =
				secret_bytes(secrets[rnd() % n].value);

			buf_put(b, v.bytes, v.n_bytes);
			next += EVERY;
			n_planted++;
		}
	}
}

/* What a sink does at the least: have the bytes somewhere else. */
static uint8_t sunk[256 << 10];

static void sink(void *ctx, const void *p, size_t len)
{
	*(size_t *)ctx += len;
	memcpy(sunk, p, len < sizeof(sunk) ? len : sizeof(sunk));
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
	uint8_t value[64];
	double from;
	struct err e;

	for (size_t i = 0; i < n; i++) {
		struct secret *s;

		if (secret_new(value, make_secret(value, (unsigned)(i % 10)), 0,
			       &s, &e))
			exit(1);
		secrets[i] = (struct redact_secret){"bench", s};
	}
	from = seconds();
	if (redact_set_new(secrets, n, NULL, 0, &set, &e))
		exit(1);
	printf("redact_build secrets=%zu patterns=%zu ms=%.1f\n", n,
	       redact_set_patterns(set), (seconds() - from) * 1e3);
	make_text(&text, len, secrets, n);
	for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
		double ceiling = copy(buf_view(&text), chunks[i]);
		double ours = redact(set, buf_view(&text), chunks[i]);

		printf("memcpy chunk=%zu GB/s=%.2f\n", chunks[i], ceiling);
		printf("redact secrets=%zu chunk=%zu GB/s=%.2f "
		       "ratio_to_memcpy=%.3f\n",
		       n, chunks[i], ours, ours / ceiling);
	}
	redact_set_free(set);
	for (size_t i = 0; i < n; i++)
		secret_free((struct secret *)secrets[i].value);
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
