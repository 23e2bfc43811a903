/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Any bytes as a sealed value: it is taken apart or not, and opens for nobody.
 * The same bytes as a value come out as they went in, and for another name not
 * at all.
 */
#include "base/hash.h"
#include "secrets/sealed.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct sealed_place place = {
	{"store",   5},
        {"default", 7},
        {"key",     3},
        {"any",     3}
};
static unsigned char ours[CURVE_PRIVATE_LEN], public_key[X25519_PUBLIC_LEN];

static void open_what_came(struct str text)
{
	struct secret *value;
	struct sealed s;
	struct err e;

	if (sealed_parse(text, &s, &e))
		return;
	if (s.kid.len != SEALED_KID_LEN || s.at_s < 1 ||
	    !sealed_open(&s, ours, public_key, &place, &value, &e))
		abort();
	sealed_done(&s);
}

static void there_and_back(struct str value)
{
	char kid[SEALED_KID_LEN];
	CLEANUP_BUF struct buf b = BUF_INIT(SEALED_TEXT_MAX);
	struct sealed_place other = place;
	struct secret *back;
	struct secret_view v;
	struct sealed s;
	struct err e;

	memset(kid, 'k', sizeof(kid));
	if (sealed_make(str_n(kid, sizeof(kid)), public_key, 1790000000, &place,
			value, &b, &e)) {
		if (value.len && value.len <= SEALED_VALUE_MAX)
			abort();
		return;
	}
	if (sealed_parse(buf_view(&b), &s, &e) ||
	    sealed_open(&s, ours, public_key, &place, &back, &e))
		abort();
	v = secret_bytes(back);
	if (!str_eq(str_n((const char *)v.bytes, v.n_bytes), value))
		abort();
	secret_free(back);
	other.name = STR("kez");
	if (!sealed_open(&s, ours, public_key, &other, &back, &e))
		abort();
	sealed_done(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = str_n((const char *)data, len);
	struct err e;

	if (!public_key[0] && x25519_new(ours, public_key, &e))
		abort();
	open_what_came(text);
	there_and_back(text);
	return 0;
}
