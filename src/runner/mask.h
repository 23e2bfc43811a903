/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is masked in all that one attempt lets out.  Every stream and watch of
 * the runner is made here, so that a secret which comes while the task runs
 * (mask_add) is looked for by all of them from then on, beside those that were
 * there before: a value that was replaced stays masked, until it is long dead.
 *
 * It also counts, for each secret of the task, how often it was seen.  A
 * renewed value, or another field, counts for the secret that it is of.
 */
#pragma once

#include "secrets/redact.h"

enum {
	MASK_STREAMS = 2, /* standard output and standard error */
	MASK_WATCHES = 12,
	/* More than any match is wide: 128 bytes, 256 dropped between each. */
	MASK_REACH = 34 << 10,
	/* A value leaves when it was replaced so long ago, and so many of the
	 * same place came after it. */
	MASK_OLD_S = 600,
	MASK_OLD_N = 16
};

/* One of the same use and name replaces the one before. */
struct mask_value {
	size_t use;       /* which secret of the task it is of */
	const char *name; /* shown in reports */
	const struct secret *value;
};

struct mask_known {
	size_t use;
	struct secret *value;
	int64_t replaced_us; /* 0: it is the newest of its place */
};

struct mask {
	struct redact_set *set;   /* NULL before the first mask_add() */
	struct mask_known *known; /* of each secret in the set */
	size_t last, n_last;      /* of the last mask_add() */
	uint64_t *seen;           /* in what is closed */
	uint64_t *joined;         /* only in both streams taken together */
	struct redact_stream *streams[MASK_STREAMS];
	struct redact_watch *watches[MASK_WATCHES];
	struct redact_watch *both; /* NULL: one stream wrote so far */
	uint64_t *before[2];       /* seen by the streams, by `both` */
	uint64_t marks;            /* of streams that are closed */
};

void mask_done(struct mask *m);

/*
 * Look for n more values, in everything that is open as well.
 *
 * v, words  borrowed during the call; words as in redact_set_new()
 * now_us    monotonic, not 0
 *
 * Fails with ERR_LIMIT, and then all is as it was.
 */
MUST_USE int mask_add(struct mask *m, const struct mask_value *v, size_t n,
		      const struct str *words, size_t n_words, int64_t now_us,
		      struct err *e);
/* Log lines for those of the last mask_add() that are not masked in all
 * encodings. */
typedef void mask_say_fn(void *ctx, const char *name, const char *status);
void mask_explain(const struct mask *m, mask_say_fn *fn, void *ctx);

/* Open stream i; mask_close() takes its counts and frees it. */
void mask_open(struct mask *m, size_t i, redact_sink_fn *sink, void *ctx);
void mask_close(struct mask *m, size_t i);
/* The same text in the streams and, once both have written, in the order of
 * its arrival.  Returns whether any secret was seen that was not before. */
bool mask_write(struct mask *m, size_t i, const void *p, size_t len);

struct redact_watch *mask_watch(struct mask *m);
/* What it saw is counted; NULL is fine. */
void mask_unwatch(struct mask *m, struct redact_watch *w);
/* A secret that the watch has seen: its number in the task; -1: none. */
int mask_caught(const struct mask *m, const struct redact_watch *w);

/* How often secret `use` of the task was seen so far, and of these how often
 * only by reading both streams as one. */
uint64_t mask_seen(const struct mask *m, size_t use);
uint64_t mask_joined(const struct mask *m, size_t use);
/* A whole value (an output, a name): the number of a secret of the task that is
 * in it, which then counts as seen; else -1, and *ret is the value. */
int mask_clear(struct mask *m, struct str s, struct redacted_str *ret);
