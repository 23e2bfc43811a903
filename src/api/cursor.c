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
	RAW_LEN = ID_LEN + MAC_LEN
};

/* Of the question's hash, so that it may be of any length. */
static struct hash mac(const unsigned char *key, struct str question,
		       const unsigned char *id)
{
	struct hash h = hash_sha256(question.p, question.len);
	unsigned char in[ID_LEN + HASH_LEN];

	memcpy(in, id, ID_LEN);
	memcpy(in + ID_LEN, h.b, HASH_LEN);
	return hash_hmac_sha256(key, CURSOR_KEY_LEN, in, sizeof(in));
}

void cursor_write(const unsigned char key[CURSOR_KEY_LEN], struct str question,
		  int64_t id, struct buf *b)
{
	unsigned char raw[RAW_LEN];
	struct hash h;

	for (int i = 0; i < ID_LEN; i++)
		raw[i] = (unsigned char)((uint64_t)id >> (8 * i));
	h = mac(key, question, raw);
	memcpy(raw + ID_LEN, h.b, MAC_LEN);
	b64url_encode(b, raw, sizeof(raw));
}

int cursor_parse(const unsigned char key[CURSOR_KEY_LEN], struct str question,
		 struct str text, int64_t *ret)
{
	CLEANUP_BUF struct buf raw = BUF_INIT(RAW_LEN);
	uint64_t v = 0;
	struct hash h;

	if (text.len > CURSOR_TEXT_MAX || b64url_decode(text, &raw) ||
	    raw.len != RAW_LEN)
		return -1;
	h = mac(key, question, (const unsigned char *)raw.data);
	if (!mem_eq_ct(h.b, raw.data + ID_LEN, MAC_LEN))
		return -1;
	for (int i = 0; i < ID_LEN; i++)
		v |= (uint64_t)(unsigned char)raw.data[i] << (8 * i);
	*ret = (int64_t)v;
	return 0;
}
