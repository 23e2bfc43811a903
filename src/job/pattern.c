/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Patterns of users, bounded; see pattern.h. */
#include "job/pattern.h"
#include "base/buf.h"
#include "base/mem.h"

#include <regex.h>
#include <string.h>

/* What has been seen: the cost of each open group and of the last atom. */
struct scan {
	struct str rest;
	uint64_t cost[PATTERN_DEPTH_MAX + 1];
	size_t depth;
	uint64_t last;
};

static void atom(struct scan *s, uint64_t cost)
{
	s->last = cost;
	s->cost[s->depth] += cost;
}

/* "[^]a-z[:alpha:]]": the first ] may stand for itself. */
static int bracket(struct scan *s)
{
	size_t i = 1;

	if (i < s->rest.len && s->rest.p[i] == '^')
		i++;
	if (i < s->rest.len && s->rest.p[i] == ']')
		i++;
	while (i < s->rest.len && s->rest.p[i] != ']') {
		char kind = i + 1 < s->rest.len ? s->rest.p[i + 1] : '\0';

		if (s->rest.p[i] == '[' && kind && strchr(".:=", kind)) {
			const char end[] = {kind, ']', '\0'};
			const char *at = memmem(s->rest.p + i + 2,
						s->rest.len - i - 2, end, 2);

			if (!at)
				return -1;
			i = (size_t)(at - s->rest.p) + 1;
		}
		i++;
	}
	if (i >= s->rest.len)
		return -1;
	s->rest = str_from_at(s->rest, i + 1);
	atom(s, 1);
	return 0;
}

/* "{2}", "{2,}", "{2,5}": the last atom is written out that often. */
static int repeat(struct scan *s)
{
	struct str inner = str_from_at(s->rest, 1);
	struct str most = str_cut(&inner, '}'), least = str_cut(&most, ',');
	uint64_t from, to;

	if (!inner.p || str_to_u64(least, 255, &from))
		return -1;
	to = from;
	if (most.len && str_to_u64(most, 255, &to))
		return -1;
	s->rest = inner;
	if (to > 1) {
		s->cost[s->depth] += s->last * (to - 1);
		s->last *= to;
	}
	return 0;
}

static int group_end(struct scan *s)
{
	uint64_t inner;

	if (!s->depth)
		return -1;
	inner = s->cost[s->depth--];
	atom(s, inner + 1);
	return 0;
}

static int step(struct scan *s)
{
	char c = s->rest.p[0];

	if (c == '[')
		return bracket(s);
	if (c == '{')
		return repeat(s);
	s->rest = str_from_at(s->rest, 1);
	switch (c) {
	case '\\':
		/* No back references, no extensions: only escapes. */
		if (!s->rest.len || !strchr(".[]{}()*+?^$|\\/-", s->rest.p[0]))
			return -1;
		s->rest = str_from_at(s->rest, 1);
		atom(s, 1);
		return 0;
	case '(':
		if (s->depth == PATTERN_DEPTH_MAX)
			return -1;
		s->cost[++s->depth] = 0;
		return 0;
	case ')':
		return group_end(s);
	default:
		atom(s, 1);
		return 0;
	}
}

static bool small(struct str pattern)
{
	struct scan s = {.rest = pattern};

	while (s.rest.len)
		if (step(&s) || s.cost[s.depth] > PATTERN_COST_MAX)
			return false;
	return !s.depth;
}

static bool compile(struct str pattern, bool whole, regex_t *re)
{
	CLEANUP_BUF struct buf b = BUF_INIT(PATTERN_LEN_MAX + 8);

	if (pattern.len > PATTERN_LEN_MAX || str_has(pattern, '\0') ||
	    !small(pattern))
		return false;
	buf_puts(&b, whole ? "^(" : "");
	buf_str(&b, pattern);
	buf_puts(&b, whole ? ")$" : "");
	return !b.failed &&
	       !regcomp(re, buf_cstr(&b), REG_EXTENDED | REG_NOSUB);
}

bool pattern_ok(struct str pattern)
{
	regex_t re;

	/* Both: "a)(b" compiles only inside other parentheses. */
	if (!compile(pattern, false, &re))
		return false;
	regfree(&re);
	if (!compile(pattern, true, &re))
		return false;
	regfree(&re);
	return true;
}

bool pattern_fits(struct str pattern, struct str s)
{
	CLEANUP_MEM char *text = mem_strndup(s.p, s.len);
	regex_t re;
	bool fits;

	if (str_has(s, '\n') || str_has(s, '\0') ||
	    !compile(pattern, true, &re))
		return false;
	fits = !regexec(&re, text, 0, NULL, 0);
	regfree(&re);
	return fits;
}
