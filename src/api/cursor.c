/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Cursors as text; see cursor.h. */
#include "api/cursor.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/mem.h"

#include <string.h>

enum {
	ID_LEN = 8,
	MAC_LEN = 12,
	RAW_MAX = CURSOR_NAME_MAX + MAC_LEN
};

/* Of the question's hash, so that it may be of any length. */
static struct hash mac(const unsigned char *key, struct str question,
		       struct str at)
{
	struct hash h = hash_sha256(question.p, question.len);
	unsigned char in[CURSOR_NAME_MAX + HASH_LEN];

	memcpy(in, at.p, at.len);
	memcpy(in + at.len, h.b, HASH_LEN);
	return hash_hmac_sha256(key, CURSOR_KEY_LEN, in, at.len + HASH_LEN);
}

static void put(const unsigned char *key, struct str question, struct str at,
		struct buf *b)
{
	struct hash h = mac(key, question, at);
	unsigned char raw[RAW_MAX];

	memcpy(raw, at.p, at.len);
	memcpy(raw + at.len, h.b, MAC_LEN);
	b64url_encode(b, raw, at.len + MAC_LEN);
}

/* Where the list goes on; in raw's memory. */
static int parse(const unsigned char *key, struct str question, struct str text,
		 struct buf *raw, struct str *ret)
{
	struct hash h;

	if (text.len > CURSOR_TEXT_MAX || b64url_decode(text, raw) ||
	    raw->len <= MAC_LEN)
		return -1;
	*ret = str_n(raw->data, raw->len - MAC_LEN);
	h = mac(key, question, *ret);
	return mem_eq_ct(h.b, raw->data + ret->len, MAC_LEN) ? 0 : -1;
}

void cursor_write(const unsigned char key[CURSOR_KEY_LEN], struct str question,
		  int64_t id, struct buf *b)
{
	char at[ID_LEN];

	for (int i = 0; i < ID_LEN; i++)
		at[i] = (char)((uint64_t)id >> (8 * i));
	put(key, question, str_n(at, ID_LEN), b);
}

int cursor_parse(const unsigned char key[CURSOR_KEY_LEN], struct str question,
		 struct str text, int64_t *ret)
{
	CLEANUP_BUF struct buf raw = BUF_INIT(RAW_MAX);
	uint64_t v = 0;
	struct str at;

	if (parse(key, question, text, &raw, &at) || at.len != ID_LEN)
		return -1;
	for (int i = 0; i < ID_LEN; i++)
		v |= (uint64_t)(unsigned char)at.p[i] << (8 * i);
	*ret = (int64_t)v;
	return 0;
}

void cursor_write_name(const unsigned char key[CURSOR_KEY_LEN],
		       struct str question, struct str name, struct buf *b)
{
	name.len = name.len < CURSOR_NAME_MAX ? name.len : CURSOR_NAME_MAX;
	put(key, question, name, b);
}

int cursor_parse_name(const unsigned char key[CURSOR_KEY_LEN],
		      struct str question, struct str text,
		      char ret[CURSOR_NAME_MAX + 1])
{
	CLEANUP_BUF struct buf raw = BUF_INIT(RAW_MAX);
	struct str at;

	if (parse(key, question, text, &raw, &at) || memchr(at.p, 0, at.len))
		return -1;
	memcpy(ret, at.p, at.len);
	ret[at.len] = '\0';
	return 0;
}
