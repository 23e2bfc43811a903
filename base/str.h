/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Borrowed strings: a pointer and a length, never owned, not NUL-terminated.
 * What parsers take.  Numbers come out of text only through str_to_*().
 */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	const char *p;
	size_t len;
};

#define STR(lit)   ((struct str){(lit), sizeof(lit) - 1})
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)(s).len, (s).p

struct str str_from(const char *cstr); /* NULL gives the empty string */
struct str str_n(const char *p, size_t len);
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *cstr);
int str_cmp(struct str a, struct str b); /* by bytes, shorter first */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_has(struct str s, char c);
struct str str_trim(struct str s); /* space, tab, CR, LF at both ends */
struct str str_from_at(struct str s, size_t from); /* clamped */

/* Cut at the first sep: the part before is returned, *s becomes the rest.
 * Without sep all of *s is returned and *s becomes {NULL, 0}. */
struct str str_cut(struct str *s, char sep);

/* Cut "NAME LENGTH\n", so many bytes and "\n" off the front; NAME may have
 * spaces.  -1: there is none. */
MUST_USE int str_frame(struct str *s, struct str *ret_name, struct str *ret);

/* Decimal, all of s, within the bounds; -1 otherwise (*ret untouched). */
MUST_USE int str_to_i64(struct str s, int64_t min, int64_t max, int64_t *ret);
MUST_USE int str_to_u64(struct str s, uint64_t max, uint64_t *ret);
/* "10s", "5m", "2h", "30d"; "512", "64K", "1G". */
MUST_USE int str_to_duration(struct str s, uint64_t *ret_us);
MUST_USE int str_to_size(struct str s, uint64_t *ret_bytes);

/* Valid UTF-8 without surrogates or overlong forms.  NUL is valid UTF-8. */
bool str_utf8_valid(struct str s);

/* Damerau-free edit distance, at most max (more gives max + 1); for "did you
 * mean".  Strings over 64 bytes give max + 1. */
unsigned str_distance(struct str a, struct str b, unsigned max);

/* Glob with * and ? (no classes).  In path mode * does not cross '/', ** does. */
bool str_glob(struct str pattern, struct str s, bool path);
