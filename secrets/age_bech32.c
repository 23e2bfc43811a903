/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Recipients of age as text: Bech32 (BIP 173) of 32 bytes, "age1...". */
#include "secrets/age.h"

#include <string.h>

enum {
	DATA_LEN = 52, /* 32 bytes in fives, four bits of padding */
	CHECK_LEN = 6,
	TEXT_LEN = 4 + DATA_LEN + CHECK_LEN
};

static const char letters[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* Over "age" as the standard spreads it, and the data. */
static uint32_t checksum(const unsigned char *fives, size_t n)
{
	static const uint32_t generator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
					     0x3d4233dd, 0x2a1462b3};
	static const unsigned char prefix[] = {'a' >> 5, 'g' >> 5, 'e' >> 5, 0,
					       'a' & 31, 'g' & 31, 'e' & 31};
	uint32_t c = 1;

	for (size_t i = 0; i < sizeof(prefix) + n; i++) {
		uint32_t top = c >> 25;

		c = (c & 0x1ffffff) << 5 ^
		    (i < sizeof(prefix) ? prefix[i] :
					  fives[i - sizeof(prefix)]);
		for (int k = 0; k < 5; k++)
			c ^= top >> k & 1 ? generator[k] : 0;
	}
	return c;
}

void age_recipient_format(const unsigned char *public_key,
			  char ret[AGE_RECIPIENT_TEXT_MAX])
{
	unsigned char fives[DATA_LEN + CHECK_LEN] = {0};
	uint32_t c;

	for (size_t bit = 0; bit < 256; bit++)
		if (public_key[bit / 8] >> (7 - bit % 8) & 1)
			fives[bit / 5] |= (unsigned char)(16 >> bit % 5);
	c = checksum(fives, sizeof(fives)) ^ 1;
	for (int i = 0; i < CHECK_LEN; i++)
		fives[DATA_LEN + i] = (unsigned char)(c >> (25 - 5 * i) & 31);
	memcpy(ret, "age1", 4);
	for (size_t i = 0; i < sizeof(fives); i++)
		ret[4 + i] = letters[fives[i]];
	ret[TEXT_LEN] = 0;
}

int age_recipient_parse(struct str text, unsigned char ret[X25519_PUBLIC_LEN],
			struct err *e)
{
	unsigned char fives[DATA_LEN + CHECK_LEN], key[X25519_PUBLIC_LEN] = {0};
	bool ok = text.len == TEXT_LEN && str_starts(text, STR("age1"));

	for (size_t i = 0; ok && i < sizeof(fives); i++) {
		const char *at = strchr(letters, text.p[4 + i]);

		ok = at && *at;
		fives[i] = ok ? (unsigned char)(at - letters) : 0;
	}
	/* Four bits are left over, and have to be nought. */
	ok = ok && checksum(fives, sizeof(fives)) == 1 &&
	     !(fives[DATA_LEN - 1] & 15);
	if (!ok)
		return err_set(e, ERR_INVALID,
			       "not a recipient of age: age1...");
	for (size_t bit = 0; bit < 256; bit++)
		if (fives[bit / 5] & 16 >> bit % 5)
			key[bit / 8] |= (unsigned char)(128 >> bit % 8);
	memcpy(ret, key, sizeof(key));
	return 0;
}
