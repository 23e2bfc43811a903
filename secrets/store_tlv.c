/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Tag, length and bytes: what is authenticated beside a ciphertext or by a
 * MAC.  Every field is there in a fixed order and none can run into the next,
 * so two different things never have the same encoding.
 */
#include "secrets/store_internal.h"

#include <assert.h>
#include <string.h>

void tlv_put(struct tlv *t, enum tlv_tag tag, const void *p, size_t len)
{
	char *at = t->b + t->len;

	/* Names are bounded where they come in: only a bug gets here. */
	assert(len <= TLV_MAX && t->len + 5 + len <= TLV_MAX);
	*at++ = (char)tag;
	for (int shift = 24; shift >= 0; shift -= 8)
		*at++ = (char)(len >> shift & 0xff);
	memcpy(at, p, len);
	t->len += 5 + len;
}

void tlv_str(struct tlv *t, enum tlv_tag tag, const char *s)
{
	tlv_put(t, tag, s, strlen(s));
}

void tlv_u64(struct tlv *t, enum tlv_tag tag, uint64_t v)
{
	unsigned char b[8];

	for (int i = 0; i < 8; i++)
		b[i] = (unsigned char)(v >> (56 - 8 * i));
	tlv_put(t, tag, b, sizeof(b));
}

void tlv_start(struct tlv *t, const char *label, const unsigned char *uuid)
{
	t->len = 0;
	tlv_str(t, TLV_LABEL, label);
	tlv_put(t, TLV_STORE, uuid, SSTORE_UUID_LEN);
}

struct str tlv_view(const struct tlv *t)
{
	return str_n(t->b, t->len);
}
