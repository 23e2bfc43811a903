/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The compiled, immutable set of what is looked for; see redact.h. */
#include "secrets/redact_internal.h"

#include "base/mem.h"
#include <string.h>

enum {
	SECRETS_MAX = 65535,
	GROWTH = 50,       /* bytes of patterns for each of a secret, about */
	GROWTH_FROM = 4096 /* bytes of a secret that so much becomes of */
};

const char *redact_status_text(enum redact_status s)
{
	switch (s) {
	case REDACT_FULL:
		return "masked in all encodings";
	case REDACT_REDUCED:
		return "over 64 KiB: masked as it is, in base64, hex and JSON";
	case REDACT_SHORT:
		return "under 8 bytes: masked as it is and exactly encoded";
	case REDACT_TOO_SHORT:
		return "under 4 bytes: not masked";
	case REDACT_COMMON:
		return "an everyday word: not masked";
	case REDACT_IN_MARK:
		return "a part of the marker itself: not masked";
	}
	return "?";
}

/* The patterns of a set as they were before they were compiled. */
static void unpack(const struct redact_set *s,
		   struct redact_list lists[REDACT_N_VIEWS])
{
	for (unsigned view = 0; view < REDACT_N_VIEWS; view++) {
		const struct redact_match *m = &s->match[view];

		for (size_t i = 0; i < m->n; i++)
			redact_list_add(&lists[view], m->bytes + m->pat[i].off,
					m->pat[i].len, m->pat[i].secret);
	}
}

/* How many bytes the patterns may be. */
static size_t guess(const struct redact_set *old, const struct redact_secret *v,
		    size_t n)
{
	size_t sum = 0;

	if (old && old->match[REDACT_VIEW_SQUEEZED].n) {
		const struct redact_match *m =
			&old->match[REDACT_VIEW_SQUEEZED];

		sum = m->pat[m->n - 1].off + m->pat[m->n - 1].len;
	}
	for (size_t i = 0; i < n; i++) {
		size_t len = secret_bytes(v[i].value).n_bytes;

		sum += GROWTH * (len < GROWTH_FROM ? len : GROWTH_FROM);
	}
	return sum;
}

int redact_set_add(const struct redact_set *old, const struct redact_secret *v,
		   size_t n, const struct str *words, size_t n_words,
		   struct redact_set **ret, struct err *e)
{
	static const unsigned min_len[REDACT_N_VIEWS] = {
		[REDACT_VIEW_SQUEEZED] = REDACT_FULL_MIN,
		[REDACT_VIEW_RAW] = REDACT_FULL_MIN,
		[REDACT_VIEW_SHORT] = REDACT_MIN,
	};
	struct redact_list lists[REDACT_N_VIEWS] = {0};
	struct guard scratch = {0};
	size_t n_old = old ? old->n : 0;
	struct redact_set *s;

	if (n > SECRETS_MAX - n_old)
		return err_set(e, ERR_LIMIT, "more than %d secrets",
			       SECRETS_MAX);
	s = mem_alloc(sizeof(*s));
	s->n = n_old + n;
	s->names = mem_array(s->n, sizeof(*s->names));
	s->status = mem_array(s->n, sizeof(*s->status));
	for (size_t i = 0; i < n_old; i++) {
		s->names[i] = mem_strdup(old->names[i]);
		s->status[i] = old->status[i];
	}
	redact_list_reserve(&lists[REDACT_VIEW_SQUEEZED], guess(old, v, n));
	if (old)
		unpack(old, lists);
	for (size_t i = 0; i < n; i++) {
		struct secret_view b = secret_bytes(v[i].value);

		s->names[n_old + i] = mem_strdup(v[i].name);
		s->status[n_old + i] =
			redact_variants(lists, &scratch, (uint32_t)(n_old + i),
					str_n((const char *)b.bytes, b.n_bytes),
					words, n_words);
	}
	guard_unmap(&scratch);
	for (unsigned view = 0; view < REDACT_N_VIEWS; view++) {
		redact_match_build(&s->match[view], &lists[view],
				   min_len[view]);
		redact_list_done(&lists[view]);
	}
	*ret = s;
	return 0;
}

int redact_set_new(const struct redact_secret *v, size_t n,
		   const struct str *words, size_t n_words,
		   struct redact_set **ret, struct err *e)
{
	return redact_set_add(NULL, v, n, words, n_words, ret, e);
}

void redact_set_free(struct redact_set *s)
{
	if (!s)
		return;
	for (unsigned view = 0; view < REDACT_N_VIEWS; view++)
		redact_match_done(&s->match[view]);
	for (size_t i = 0; i < s->n; i++)
		mem_free(s->names[i]);
	mem_free(s->names);
	mem_free(s->status);
	mem_free(s);
}

size_t redact_set_size(const struct redact_set *s)
{
	return s->n;
}

const char *redact_set_name(const struct redact_set *s, size_t i)
{
	return s->names[i];
}

enum redact_status redact_set_status(const struct redact_set *s, size_t i)
{
	return s->status[i];
}

size_t redact_set_patterns(const struct redact_set *s)
{
	size_t n = 0;

	for (unsigned view = 0; view < REDACT_N_VIEWS; view++)
		n += s->match[view].n;
	return n;
}

bool redact_set_locked(const struct redact_set *s)
{
	for (unsigned view = 0; view < REDACT_N_VIEWS; view++)
		if (s->match[view].n && !s->match[view].mem.locked)
			return false;
	return true;
}
