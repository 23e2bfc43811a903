/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Any bytes as a file of age for a key of ours, and as a recipient; or, behind
 * a first byte of 1, a good file of which one byte is another: that is never
 * taken for the whole text.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "secrets/age.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	FILE_MAX = 200000
};

#define TEXT "nfo-secrets 1\nname dmFsdWU=\n"

static unsigned char priv[CURVE_PRIVATE_LEN], pub[X25519_PUBLIC_LEN];
static struct buf good = BUF_INIT(FILE_MAX);

static int on_text(void *ctx, struct str text, struct err *e)
{
	(void)e;
	*(size_t *)ctx += text.len;
	return 0;
}

static void setup(void)
{
	struct age_writer *w;
	struct err e;

	if (x25519_new(priv, pub, &e) || age_writer_new(pub, &good, &w, &e) ||
	    age_write(w, TEXT, sizeof(TEXT) - 1, &e) || age_writer_end(w, &e))
		abort();
	age_writer_free(w);
}

static void one_byte(const uint8_t *data, size_t len)
{
	size_t at = len > 3 ? (size_t)(data[1] << 8 | data[2]) % good.len : 0;
	char was = good.data[at];
	size_t n = 0;
	struct err e;

	good.data[at] = len > 3 ? (char)data[3] : was;
	if (age_open(priv, buf_view(&good), on_text, &n, &e)) {
		if (good.data[at] == was)
			abort();
	} else if (good.data[at] != was || n != sizeof(TEXT) - 1) {
		abort();
	}
	good.data[at] = was;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = str_n((const char *)data, len);
	char again[AGE_RECIPIENT_TEXT_MAX];
	unsigned char key[32];
	size_t n = 0;
	struct err e;

	if (!good.len)
		setup();
	if (len && data[0] == 1)
		one_byte(data, len);
	else if (!age_open(priv, text, on_text, &n, &e))
		abort(); /* nobody has our key */
	if (!age_recipient_parse(text, key, &e)) {
		age_recipient_format(key, again);
		if (!str_is(text, again))
			abort();
	}
	return 0;
}
