/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What the parts of the redactor share, bottom up:
 *
 *	list      pattern bytes in guarded memory
 *	variants  a secret -> its patterns (pure)
 *	match     patterns -> matcher; matcher x bytes -> hits, hold-back
 *	squeeze   text -> text without what may be dropped, and the way back
 *	ansi      the same around terminal sequences
 *	scan      one buffer through all of these -> masked ranges, hold-back
 *
 * Only secrets/redact_*.c and their tests include this.
 */
#pragma once

#include "secrets/guard.h"
#include "secrets/redact.h"

enum {
	REDACT_TILE_MAX = 128, /* bytes of a pattern; longer ones are cut up */
	REDACT_GAP_MAX = 256,  /* dropped bytes that a match may bridge */
};

/* Patterns as a plain list. */
struct redact_pat {
	uint32_t off, len; /* in the list's bytes */
	uint32_t secret;
};
struct redact_list {
	struct guard mem;
	size_t used;
	struct redact_pat *v;
	size_t n, cap;
};
/* Have room for len bytes, so that adding them moves nothing. */
void redact_list_reserve(struct redact_list *l, size_t len);
void redact_list_add(struct redact_list *l, const uint8_t *p, size_t len,
		     uint32_t secret);
void redact_list_done(struct redact_list *l);
struct guard redact_guard(size_t len); /* or abort */

/* Which view of the text a pattern is looked for in. */
enum redact_view {
	REDACT_VIEW_SQUEEZED, /* 8 and more bytes that are kept */
	REDACT_VIEW_RAW,      /* 8 and more, but fewer that are kept */
	REDACT_VIEW_SHORT,    /* 4 to 7, as they are */
	REDACT_N_VIEWS
};

/* words.c: would masking this hide the log's own text? */
bool redact_is_common(struct str s, const struct str *words, size_t n_words);
bool redact_in_mark(struct str s);

/* encode.c: what tools make of a value.  o is full when it did not fit. */
struct redact_out {
	uint8_t *p;
	size_t n, cap;
	bool full;
};
struct redact_encoder {
	const char *name;
	void (*fn)(struct redact_out *o, const uint8_t *v, size_t n, int arg);
	int arg;
	bool big;  /* also for values over 64 KiB */
	bool dump; /* its lines of 16 bytes are looked for anyway */
};
extern const struct redact_encoder redact_encoders[];
extern const size_t redact_n_encoders;
/* Which encoders make another text of a value than the value itself, as far as
 * the squeezed view goes: bit i is that of encoder i. */
uint64_t redact_changers(const uint8_t *v, size_t n);
/* base64 without padding (url: its alphabet) of what is whole of v when it
 * starts at byte `shift` of a group of three: the stable middle. */
void redact_b64_middle(struct redact_out *o, const uint8_t *v, size_t n,
		       unsigned shift, bool url);
/* escape.c: an encoder, arg is the index of the style. */
void redact_escape(struct redact_out *o, const uint8_t *v, size_t n, int arg);
void redact_put(struct redact_out *o, const void *p, size_t n);
static inline void redact_put1(struct redact_out *o, uint8_t c)
{
	if (o->full || o->n == o->cap)
		o->full = true;
	else
		o->p[o->n++] = c;
}
/* No tool ever writes these in another way but as a whole. */
static inline bool redact_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') ||
	       ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* variants.c: all patterns of one value, into the list of each view.  scratch
 * is kept from one to the next, and the caller's to unmap. */
enum redact_status redact_variants(struct redact_list lists[REDACT_N_VIEWS],
				   struct guard *scratch, uint32_t secret,
				   struct str value, const struct str *words,
				   size_t n_words);

/* A compiled list: see redact_match.c. */
struct redact_match {
	struct guard mem;
	const uint8_t *bytes;
	const struct redact_pat *pat; /* sorted by bytes, no two the same */
	size_t n;
	uint32_t max_len;
	unsigned stride;
	const uint64_t *pair;
	const uint32_t *bloom, *prefix, *bucket;
	const struct redact_gram *gram;
	unsigned bloom_shift, pair_shift, prefix_shift, bucket_shift;
	unsigned kinds;    /* of pairs that are in there */
	const bool *first; /* [256] */
	bool all_odd;      /* every pattern has an odd byte */
};
/* min_len is that of the shortest pattern allowed: 8 or 4. */
/* Sorts l and takes out what is there twice. */
void redact_match_build(struct redact_match *m, struct redact_list *l,
			unsigned min_len);
void redact_match_done(struct redact_match *m);
typedef void redact_hit_fn(void *ctx, size_t at, const struct redact_pat *p);
/* Calls fn for every occurrence but those within others of the same secret that
 * overlap; returns the number of comparisons. */
uint64_t redact_match_scan(const struct redact_match *m, const uint8_t *b,
			   size_t n, redact_hit_fn *fn, void *ctx);
/* The longest end of b that is a proper beginning of a pattern. */
size_t redact_match_hold(const struct redact_match *m, const uint8_t *b,
			 size_t n);

struct redact_set {
	struct redact_match match[REDACT_N_VIEWS];
	char **names;
	enum redact_status *status;
	size_t n;
};

/* Dropped from the squeezed view: white space, NUL, other controls. */
static inline bool redact_kept(uint8_t c)
{
	return c > 0x20 && c != 0x7f;
}

/* Dropped, and not in ordinary text: controls but white space and ESC.  In a
 * buffer that has none there is no binary key. */
static inline bool redact_odd(uint8_t c)
{
	return c < 0x20 && !(c >= 9 && c <= 13) && c != 0x1b;
}

enum {
	REDACT_BLOCK = 64, /* bytes squeezed at a time */
	REDACT_HAS_ESC = 1,
	REDACT_HAS_ODD = 2
};
struct redact_squeezed {
	uint8_t *b; /* room for the text + REDACT_BLOCK */
	size_t n;
	uint32_t *map;  /* where each block of the text begins in b */
	uint64_t *kept; /* which bytes of each block are in b */
	size_t n_blocks;
	size_t hint; /* the block that was asked for last */
};
/* p must have REDACT_BLOCK spaces after its len bytes.  A gap of more than
 * REDACT_GAP_MAX leaves a zero in b, which no pattern has.  Returns which
 * of REDACT_HAS_* there are. */
unsigned redact_squeeze(const uint8_t *p, size_t len,
			struct redact_squeezed *out);
/* How many bytes of b are from before byte `at` of the text. */
size_t redact_squeeze_index(const struct redact_squeezed *s, size_t at);
/* The place in the text of b[i], which is not a gap's zero. */
size_t redact_squeeze_origin(struct redact_squeezed *s, size_t i);
/* The implementations by themselves, for tests; NULL past the last, and for
 * those that this processor lacks. */
typedef unsigned redact_squeeze_fn(const uint8_t *p, size_t len,
				   struct redact_squeezed *out);
redact_squeeze_fn *redact_squeeze_impl(unsigned i);

enum {
	REDACT_ANSI_MAX = 8192,
	REDACT_RUNS_MAX = 512
};
struct redact_ansi {
	uint8_t b[REDACT_ANSI_MAX];
	size_t n;
	struct redact_run {
		uint32_t at, from; /* in b, and in the squeezed view */
	} runs[REDACT_RUNS_MAX];
	size_t n_runs;
};
/* The place in the squeezed view of b[i]. */
size_t redact_ansi_origin(const struct redact_ansi *a, size_t i);
/* The length of the terminal sequence at p (an ESC), at least 1; n when it is
 * not complete. */
size_t redact_escape_len(const uint8_t *p, size_t n);
/* Give fn the squeezed text around each terminal sequence without it, `reach`
 * bytes to each side, several at once, with a zero between those that do not
 * belong together; calls overlap by reach.  Returns true when the
 * last piece, left in a, is still open at the end. */
typedef void redact_ansi_fn(void *ctx, const struct redact_ansi *a);
bool redact_ansi(struct redact_ansi *a, const struct redact_squeezed *sq,
		 const uint8_t *p, size_t len, size_t reach, redact_ansi_fn *fn,
		 void *ctx);

/* One buffer of text and what was found in it. */
struct redact_hit {
	uint32_t secret, from, to;
};
struct redact_scan {
	const struct redact_set *set;
	struct guard mem;
	uint8_t *buf;
	size_t len, cap;
	uint64_t base; /* how many bytes went before buf[0] */
	struct redact_squeezed sq;
	struct guard ansi_mem; /* when it is first needed */
	struct redact_ansi *ansi;
	uint64_t *mask;            /* a bit for each byte of buf */
	size_t mask_from, mask_to; /* all bits are between, if this is more */
	struct redact_hit *hits;
	size_t n_hits;
	struct redact_hit pending; /* in a view's places; to is 0: none */
	void (*map_pending)(struct redact_scan *s);
	uint64_t *seen, *seen_to; /* for each secret: times, last end */
	uint64_t n_seen;
	size_t hold_at;   /* what is from here on may be a beginning */
	size_t keep_from; /* the buffer must go on from here */
	size_t hold_kept; /* of so many bytes that count */
	size_t hold_end;  /* behind the last byte that counts */
	struct redact_counts counts;
};
void redact_scan_init(struct redact_scan *s, const struct redact_set *set,
		      size_t cap);
void redact_scan_done(struct redact_scan *s);
void redact_scan_swap(struct redact_scan *s, const struct redact_set *set);
/* Take in as much of p as fits; returns how much. */
size_t redact_scan_put(struct redact_scan *s, const void *p, size_t len);
void redact_scan_run(struct redact_scan *s);
void redact_scan_drop(struct redact_scan *s, size_t n);
/* The first byte at or after `from` that is masked (or not), at most `to`. */
size_t redact_scan_next(const struct redact_scan *s, size_t from, size_t to,
			bool masked);
enum {
	REDACT_SCAN_CAP = 96 << 10 /* over 128 * (REDACT_GAP_MAX + 1) */
};
