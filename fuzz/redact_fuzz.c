/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The redactor against brute force: secrets and text over small alphabets, in
 * random pieces.  The oracle takes the compiled patterns and knows nothing of
 * filters, blocks or hold-back.
 */
#include "base/mem.h"
#include "secrets/redact_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
	TEXT_MAX = 4096,
	OUT_MAX = 4 * TEXT_MAX, /* with markers */
	SECRETS_MAX = 5
};

struct input {
	const uint8_t *p;
	size_t n;
};

static unsigned take(struct input *in)
{
	if (!in->n)
		return 0;
	in->n--;
	return *in->p++;
}

/* The text as one view shows it: bytes, and where each one is. */
struct shown {
	uint8_t b[OUT_MAX];
	size_t at[OUT_MAX], n;
	bool far; /* the end is too far behind the last byte */
};

static void show(struct shown *s, const uint8_t *p, size_t n, bool ansi)
{
	size_t gap = 0, skip;

	s->n = 0;
	for (size_t i = 0; i < n; i += skip) {
		skip = 1;
		if (ansi && p[i] == 0x1b)
			skip = redact_escape_len(p + i, n - i);
		if (!redact_kept(p[i])) {
			/* As in redact_ansi(): the last may be incomplete. */
			gap += i + skip < n ? skip : 1;
			continue;
		}
		if (s->n && gap > REDACT_GAP_MAX) {
			s->at[s->n] = i;
			s->b[s->n++] = 0;
		}
		gap = 0;
		s->at[s->n] = i;
		s->b[s->n++] = p[i];
	}
	s->far = gap > REDACT_GAP_MAX;
}

static void show_raw(struct shown *s, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		s->b[i] = p[i];
		s->at[i] = i;
	}
	s->n = n;
	s->far = false;
}

struct expected {
	bool masked[TEXT_MAX];
	size_t hold_at, hold_end, hold_kept;
};

static void mask(struct expected *x, const struct shown *s,
		 const struct redact_match *m)
{
	size_t longest = 0;

	for (size_t k = 0; k < m->n; k++) {
		const uint8_t *p = m->bytes + m->pat[k].off;
		size_t len = m->pat[k].len;

		for (size_t i = 0; i + len <= s->n; i++)
			if (!memcmp(s->b + i, p, len))
				for (size_t j = s->at[i];
				     j <= s->at[i + len - 1]; j++)
					x->masked[j] = true;
		for (size_t i = 1; !s->far && i < len && i <= s->n; i++)
			if (i > longest && !memcmp(s->b + s->n - i, p, i))
				longest = i;
	}
	if (!longest)
		return;
	if (longest > x->hold_kept)
		x->hold_kept = longest;
	if (s->at[s->n - longest] < x->hold_at)
		x->hold_at = s->at[s->n - longest];
	if (s->at[s->n - 1] + 1 > x->hold_end)
		x->hold_end = s->at[s->n - 1] + 1;
}

static void expect(const struct redact_set *set, const uint8_t *p, size_t n,
		   struct buf *out)
{
	static struct expected x;
	static struct shown s;
	bool open = false;
	size_t i = 0;

	memset(&x, 0, sizeof(x));
	x.hold_at = n;
	show(&s, p, n, false);
	mask(&x, &s, &set->match[REDACT_VIEW_SQUEEZED]);
	show(&s, p, n, true);
	mask(&x, &s, &set->match[REDACT_VIEW_SQUEEZED]);
	show_raw(&s, p, n);
	mask(&x, &s, &set->match[REDACT_VIEW_RAW]);
	mask(&x, &s, &set->match[REDACT_VIEW_SHORT]);
	while (i < n) {
		/* What is masked may reach in from the left. */
		if (x.hold_kept >= REDACT_MIN && i >= x.hold_at &&
		    i < x.hold_end && !x.masked[i]) {
			buf_puts(out, REDACT_MARK_PARTIAL);
			i = x.hold_end;
			open = true;
			continue;
		}
		if (!x.masked[i])
			buf_putc(out, (char)p[i]);
		else if (!open)
			buf_puts(out, REDACT_MARK);
		open = x.masked[i++];
	}
}

static void sink(void *ctx, struct redacted_str s)
{
	buf_str(ctx, s.clean);
}

static const char *const alphabets[] = {
	"ab", "abc", "ab \n", "a\033[m1", "ab\033]\007\\", "abc\r \t", "0a1b",
};

static size_t letters(struct input *in, uint8_t *p, size_t n, unsigned kind)
{
	for (size_t i = 0; i < n; i++) {
		unsigned v = take(in);

		if (kind < ARRAY_LEN(alphabets))
			v = (uint8_t)
				alphabets[kind][v % strlen(alphabets[kind])];
		p[i] = (uint8_t)v;
	}
	return n;
}

static size_t make_text(struct input *in, uint8_t *p, unsigned kind,
			const struct secret *const *secrets, size_t n_secrets)
{
	size_t n = 0;

	while (in->n && n + 1024 < TEXT_MAX) {
		unsigned how = take(in);
		struct secret_view v =
			secret_bytes(secrets[take(in) % n_secrets]);
		size_t from = take(in), len;

		switch (how % 5) {
		case 0: /* a secret, or its end, or its beginning */
		case 1:
			from = how & 32 && v.n_bytes ? from % v.n_bytes : 0;
			len = v.n_bytes - from;
			if (how & 64)
				len = len * (take(in) % 16) / 16;
			memcpy(p + n, v.bytes + from, len);
			n += len;
			break;
		case 2: /* a gap, about as large as is allowed */
			memset(p + n, how & 32 ? ' ' : '\n', from + 32);
			n += how & 64 ? from + 32 : from % 4;
			break;
		default:
			n += letters(in, p + n, from % 24, kind);
		}
	}
	return n;
}

static void differ(struct str want, struct str got)
{
	size_t i = 0;

	while (i < want.len && i < got.len && want.p[i] == got.p[i])
		i++;
	i = i < 40 ? 0 : i - 40;
	fprintf(stderr, "at %zu\nwant: %.90s\ngot:  %.90s\n", i, want.p + i,
		i < got.len ? got.p + i : "");
	abort();
}

static void compare(const struct redact_set *set, const uint8_t *p, size_t n,
		    struct input *cuts)
{
	CLEANUP_BUF struct buf want = BUF_INIT(1 << 20);
	CLEANUP_BUF struct buf got = BUF_INIT(1 << 20);
	struct redact_stream *s = redact_stream_new(set, sink, &got);

	expect(set, p, n, &want);
	for (size_t i = 0; i < n;) {
		size_t cut = take(cuts), len = 1 + (cut & 128 ? cut : cut % 8);

		if (len > n - i || (!cuts->n && cut % 2))
			len = n - i;
		redact_stream_write(s, p + i, len);
		i += len;
	}
	redact_stream_end(s);
	redact_stream_free(s);
	if (!str_eq(buf_view(&want), buf_view(&got)))
		differ(buf_view(&want), buf_view(&got));
	buf_reset(&got);
	if (redact_buf(set, p, n, true, &got) < 0 ||
	    !str_eq(buf_view(&want), buf_view(&got)))
		abort();
}

/* Is a pattern of the set left in what was let out? */
static void none_left(const struct redact_set *set, struct str out)
{
	static struct shown s[2];
	const uint8_t *p = (const uint8_t *)out.p;

	if (out.len > OUT_MAX)
		return;
	show(&s[0], p, out.len, false);
	show_raw(&s[1], p, out.len);
	for (unsigned view = 0; view < REDACT_N_VIEWS; view++) {
		const struct redact_match *m = &set->match[view];
		const struct shown *x = &s[view != REDACT_VIEW_SQUEEZED];

		for (size_t k = 0; k < m->n; k++)
			if (memmem(x->b, x->n, m->bytes + m->pat[k].off,
				   m->pat[k].len))
				abort();
	}
}

/* The last secrets come when a part of the text has been written: from then on
 * none is let out whole. */
static void compare_added(const struct redact_set *some,
			  const struct redact_set *all, const uint8_t *p,
			  size_t n, struct input *cuts)
{
	CLEANUP_BUF struct buf got = BUF_INIT(1 << 20);
	struct redact_stream *s = redact_stream_new(some, sink, &got);
	size_t at = n ? take(cuts) * n / 256 : 0, out;

	redact_stream_write(s, p, at);
	out = got.len;
	redact_stream_swap(s, all);
	while (at < n) {
		size_t len = 1 + take(cuts) % 64;

		len = len < n - at ? len : n - at;
		redact_stream_write(s, p + at, len);
		at += len;
	}
	redact_stream_end(s);
	redact_stream_free(s);
	none_left(all, str_from_at(buf_view(&got), out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct secret *secrets[SECRETS_MAX];
	struct redact_secret named[SECRETS_MAX];
	struct input in = {data, len}, cuts = {data, len};
	struct redact_set *set, *some;
	uint8_t text[TEXT_MAX];
	unsigned kind = take(&in) % 8;
	size_t n = 1 + take(&in) % SECRETS_MAX;
	struct err e;

	for (size_t i = 0; i < n; i++) {
		size_t n_bytes = take(&in) % 40;

		letters(&in, text, n_bytes, kind);
		if (secret_new(text, n_bytes, 0, &secrets[i], &e))
			abort();
		named[i] = (struct redact_secret){"s", secrets[i]};
	}
	if (redact_set_new(named, n / 2, NULL, 0, &some, &e) ||
	    redact_set_add(some, named + n / 2, n - n / 2, NULL, 0, &set, &e))
		abort();
	len = make_text(&in, text, kind, (const struct secret *const *)secrets,
			n);
	compare(set, text, len, &cuts);
	/* Its own characters make a pattern together with the marker. */
	if (kind < ARRAY_LEN(alphabets) && !strpbrk(alphabets[kind], "[]"))
		compare_added(some, set, text, len, &cuts);
	redact_set_free(set);
	redact_set_free(some);
	for (size_t i = 0; i < n; i++)
		secret_free(secrets[i]);
	return 0;
}
