/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Texts that servers write, made fit for people and logs.  Whoever answers may
 * send back what it was sent, in any encoding: what we know is masked by the
 * redactor, and what looks like a token of somebody's by its looks.
 */
#include "vault/answer.h"

#include "base/buf.h"
#include "secrets/redact.h"

#include <string.h>

enum {
	MASKS_MAX = 8,
	TOKEN_MIN = 16, /* what follows its prefix */
	TEXT_IN_MAX = 65536
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/* hvs., hvb., hvr. and, of OpenBao and old servers, s., b., r. */
static size_t token_prefix(struct str s)
{
	static const char *const prefixes[] = {"hvs.", "hvb.", "hvr.",
					       "s.",   "b.",   "r."};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_starts(s, str_from(prefixes[i])))
			return strlen(prefixes[i]);
	return 0;
}

static void mask_tokens(struct str s, struct buf *out)
{
	while (s.len) {
		size_t word = 0, prefix;

		while (word < s.len && is_word(s.p[word]))
			word++;
		prefix = token_prefix(str_n(s.p, word));
		if (prefix && word >= prefix + TOKEN_MIN)
			buf_puts(out, REDACT_MARK);
		else
			buf_put(out, s.p, word);
		if (word < s.len)
			buf_putc(out, s.p[word++]);
		s = str_from_at(s, word);
	}
}

/* The marks of what is masked stay whole; -1: it cannot be told. */
static int mask_known(struct str s, const struct answer_masks *masks,
		      struct buf *out)
{
	struct redact_secret list[MASKS_MAX];
	struct redact_set *set;
	struct err e;
	size_t n = 0;
	int bad;

	for (size_t i = 0; masks && i < masks->n && n < MASKS_MAX; i++)
		if (masks->items[i])
			list[n++] = (struct redact_secret){"", masks->items[i]};
	if (!n)
		return buf_str(out, s) ? 0 : -1;
	if (redact_set_new(list, n, NULL, 0, &set, &e))
		return -1;
	bad = redact_buf(set, s.p, s.len, true, out) < 0;
	redact_set_free(set);
	return bad ? -1 : 0;
}

/* One line of text: white space is one space, what is no text is '?'. */
static void put_line(struct str s, char out[ANSWER_TEXT_MAX + 1])
{
	bool space = false, utf8 = str_utf8_valid(s);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ') {
			space = n > 0;
			continue;
		}
		if (n + 2 > ANSWER_TEXT_MAX - 3) {
			memcpy(out + n, "...", 3);
			n += 3;
			break;
		}
		if (space)
			out[n++] = ' ';
		space = false;
		out[n++] = c == 0x7f || (c >= 0x80 && !utf8) ? '?' : (char)c;
	}
	out[n] = '\0';
}

/* A character that was cut in two goes. */
static void mend_end(char *s)
{
	size_t n = strlen(s),
	       end = n >= 3 && !strcmp(s + n - 3, "...") ? n - 3 : n;
	size_t at = end;

	if (str_utf8_valid(str_from(s)))
		return;
	while (at > 0 && ((unsigned char)s[at - 1] & 0xc0) == 0x80)
		at--;
	if (at > 0)
		at--;
	memmove(s + at, s + end, n - end + 1);
}

void answer_clean(struct str text, const struct answer_masks *masks,
		  char out[ANSWER_TEXT_MAX + 1])
{
	struct buf known = BUF_INIT(4 * TEXT_IN_MAX);
	struct buf plain = BUF_INIT(4 * TEXT_IN_MAX);

	out[0] = '\0';
	if (text.len > TEXT_IN_MAX)
		text.len = TEXT_IN_MAX;
	if (!mask_known(text, masks, &known)) {
		mask_tokens(buf_view(&known), &plain);
		put_line(buf_view(&plain), out);
		mend_end(out);
	}
	buf_wipe(&known);
	buf_wipe(&plain);
}
