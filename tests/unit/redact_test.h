/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the redactor's tests share: sets from C strings, text through them. */
#pragma once

#include "base/mem.h"
#include "secrets/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Random-looking, and nothing of it in any other text here. */
#define TOKEN "q7Zk-R3_xW9vTb5+Lm2/Yd8H"

struct fixture {
	struct redact_set *set;
	struct buf out;
	struct redact_stream *s;
};

static inline void sink(void *ctx, struct redacted_str s)
{
	assert_true(buf_str(ctx, s.clean));
}

static inline struct redact_set *set_of(const struct redact_set *old,
					const struct str *v, size_t n)
{
	struct redact_secret named[16] = {0};
	struct redact_set *set;
	char names[16][24];
	struct err e;

	for (size_t i = 0; i < n; i++) {
		struct secret *s;

		assert_int_equal(secret_new(v[i].p, v[i].len, 0, &s, &e), 0);
		snprintf(names[i], sizeof(names[i]), "S%zu", i);
		named[i] = (struct redact_secret){names[i], s};
	}
	assert_int_equal(redact_set_add(old, named, n, NULL, 0, &set, &e), 0);
	for (size_t i = 0; i < n; i++)
		secret_free((struct secret *)named[i].value);
	return set;
}

static inline struct redact_set *set_of1(const char *secret)
{
	struct str s = str_from(secret);

	return set_of(NULL, &s, 1);
}

static inline void begin(struct fixture *f, const struct redact_set *set)
{
	f->out = BUF_INIT(64 << 20);
	f->s = redact_stream_new(set, sink, &f->out);
}

static inline void put(struct fixture *f, struct str text)
{
	redact_stream_write(f->s, text.p, text.len);
}

/* The end of the text: what came out must be this. */
static inline void finish(struct fixture *f, struct str want)
{
	redact_stream_end(f->s);
	if (!str_eq(buf_view(&f->out), want))
		fail_msg("got \"" STR_FMT "\", not \"" STR_FMT "\"",
			 STR_ARG(buf_view(&f->out)), STR_ARG(want));
	redact_stream_free(f->s);
	buf_done(&f->out);
}

/* The whole text at once, one byte at a time, and in two for every cut. */
static inline void check_n(const struct redact_set *set, struct str text,
			   struct str want)
{
	struct fixture f;

	begin(&f, set);
	put(&f, text);
	finish(&f, want);
	begin(&f, set);
	for (size_t i = 0; i < text.len; i++)
		put(&f, str_n(text.p + i, 1));
	finish(&f, want);
	for (size_t cut = 1; cut < text.len; cut++) {
		begin(&f, set);
		put(&f, str_n(text.p, cut));
		put(&f, str_from_at(text, cut));
		finish(&f, want);
	}
}

static inline void check(const struct redact_set *set, const char *text,
			 const char *want)
{
	check_n(set, str_from(text), str_from(want));
}

static inline void check1(const char *secret, const char *text,
			  const char *want)
{
	struct redact_set *set = set_of1(secret);

	check(set, text, want);
	redact_set_free(set);
}
