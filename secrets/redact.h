/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The redactor: finds the secrets of one attempt, in the encodings that tools
 * print them in, in everything it writes, and puts REDACT_MARK there.
 *
 *	secrets --> redact_set (immutable) --> redact_stream  one for each fd
 *	                                   --> redact_buf()   whole values
 *	                                   --> redact_watch   detects only
 *
 * The matching is on the text as it is and "squeezed": without white space and
 * control characters, with and without terminal sequences, over gaps of up to
 * 256 such bytes.  What no list of patterns finds is not masked: compressed,
 * enciphered or ROT13 text, other text between the characters, zero-width
 * characters, a secret that two tasks print a half of.
 *
 * A set may be shared by threads; streams and watches may not.  All plaintext,
 * the held text included, is in guarded memory and wiped.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/redacted.h"
#include "secrets/secret.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REDACT_MARK         "[REDACTED]"
#define REDACT_MARK_PARTIAL "[REDACTED:partial]"

enum {
	REDACT_MIN = 4,      /* bytes; shorter secrets are not looked for */
	REDACT_FULL_MIN = 8, /* bytes; shorter ones only as they are */
	REDACT_FLUSH_MS = 75 /* of silence, then redact_stream_tick() */
};

/* Both borrowed until the set is made. */
struct redact_secret {
	const char *name; /* not secret itself; shown in reports */
	const struct secret *value;
};

/* What became of one secret; show everything but REDACT_FULL to the user. */
enum redact_status {
	REDACT_FULL,      /* in all encodings */
	REDACT_REDUCED,   /* over 64 KiB: raw, base64, hex and JSON only */
	REDACT_SHORT,     /* 4 to 7 bytes: raw and exact encodings only */
	REDACT_TOO_SHORT, /* under 4 bytes: not looked for */
	REDACT_COMMON,    /* an everyday word or one repeated byte: likewise */
	REDACT_IN_MARK    /* a piece of the marker: likewise */
};
const char *redact_status_text(enum redact_status s);
/* What would become of it; words as in redact_set_new(). */
enum redact_status redact_judge(struct secret_view value,
				const struct str *words, size_t n_words);

struct redact_set;

/*
 * Compile n secrets (0 is fine).
 *
 * words   further everyday words that are not to be masked, such as the job's
 *         name; borrowed during the call
 *
 * Fails with ERR_LIMIT when there are over 65535 secrets.
 */
MUST_USE int redact_set_new(const struct redact_secret *v, size_t n,
			    const struct str *words, size_t n_words,
			    struct redact_set **ret, struct err *e);
/* The union of a set and n more secrets; the old set stays.  The old secrets
 * keep their numbers, the new ones follow. */
MUST_USE int redact_set_add(const struct redact_set *old,
			    const struct redact_secret *v, size_t n,
			    const struct str *words, size_t n_words,
			    struct redact_set **ret, struct err *e);
void redact_set_free(struct redact_set *s); /* after its streams */
size_t redact_set_size(const struct redact_set *s);
const char *redact_set_name(const struct redact_set *s, size_t i);
enum redact_status redact_set_status(const struct redact_set *s, size_t i);
size_t redact_set_patterns(const struct redact_set *s);
bool redact_set_locked(const struct redact_set *s); /* all of it mlocked */

struct redact_counts {
	uint64_t marks;    /* written in the place of something */
	uint64_t partial;  /* of those, for a secret that was cut off */
	uint64_t verifies; /* full comparisons: what an adversary drives up */
};

/* Takes redacted bytes, borrowed during the call.  Must not call back. */
typedef void redact_sink_fn(void *ctx, struct redacted_str s);

struct redact_stream;

/* The set is borrowed, and must live until the stream is freed or swapped. */
struct redact_stream *redact_stream_new(const struct redact_set *set,
					redact_sink_fn *sink, void *ctx);
void redact_stream_free(struct redact_stream *s); /* held bytes are lost */
void redact_stream_write(struct redact_stream *s, const void *p, size_t len);
/* After REDACT_FLUSH_MS without a write: let out what is held, unless it is
 * REDACT_MIN or more bytes of a secret.  Ask redact_stream_waits() whether a
 * timer is worth setting. */
void redact_stream_tick(struct redact_stream *s);
bool redact_stream_waits(const struct redact_stream *s);
/* No more will come (end of file, kill, a limit): a secret's beginning of
 * REDACT_MIN or more bytes becomes REDACT_MARK_PARTIAL. */
void redact_stream_end(struct redact_stream *s);
/* Go on with a set from redact_set_add(); the held text is seen anew. */
void redact_stream_swap(struct redact_stream *s, const struct redact_set *set);
const struct redact_counts *redact_stream_counts(const struct redact_stream *s);
/* How often secret i was seen; all of them together. */
uint64_t redact_stream_seen(const struct redact_stream *s, size_t i);
uint64_t redact_stream_total(const struct redact_stream *s);

/*
 * Redact a whole value (an error, an output, a name) onto the end of out.
 *
 * cut   the value may have been cut off: mask a secret's beginning at its end
 *
 * Returns the number of marks written, or -1 when out is full.
 */
MUST_USE int redact_buf(const struct redact_set *set, const void *p, size_t len,
			bool cut, struct buf *out);

/*
 * The same for a text that is shown to people.  set NULL: no secret is known
 * yet, the text is taken as it is.
 *
 * room  empty, what *ret is in, until the caller is done with it
 *
 * Returns as redact_buf() does.
 */
MUST_USE int redact_text(const struct redact_set *set, struct str s, bool cut,
			 struct buf *room, struct redacted_str *ret);
/* The text itself when there is no secret in it (0), else the number of one
 * that is (1 and *ret_secret); *ret is in s. */
MUST_USE int redact_clear(const struct redact_set *set, struct str s,
			  struct redacted_str *ret, size_t *ret_secret);

/*
 * Only tells what passes: for pipes between tasks, and for stdout and stderr
 * as one stream in the order of their arrival.
 */
struct redact_watch;
struct redact_watch *redact_watch_new(const struct redact_set *set);
void redact_watch_free(struct redact_watch *w);
/* Returns how many secrets were seen to end in these bytes. */
uint64_t redact_watch_write(struct redact_watch *w, const void *p, size_t len);
void redact_watch_swap(struct redact_watch *w, const struct redact_set *set);
uint64_t redact_watch_seen(const struct redact_watch *w, size_t i);
/* What comes next does not follow what went before. */
void redact_watch_skip(struct redact_watch *w);
/* A watch that goes on from what the stream still has, as if it had seen all
 * of it. */
struct redact_watch *redact_watch_after(const struct redact_stream *s);
