/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the benchmarks of redaction and capture read; see text.h. */
#include "bench/text.h"

#include <stdlib.h>

enum {
	EVERY = 64 << 10
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

size_t text_make(struct buf *b, size_t len, const struct redact_secret *secrets,
		 size_t n)
{
	size_t next = EVERY, n_planted = 0;

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
	return n_planted;
}

void text_secrets(struct redact_secret *ret, size_t n)
{
	uint8_t value[64];
	struct secret *s;
	struct err e;

	for (size_t i = 0; i < n; i++) {
		if (secret_new(value, make_secret(value, (unsigned)(i % 10)), 0,
			       &s, &e))
			exit(1);
		ret[i] = (struct redact_secret){"bench", s};
	}
}
