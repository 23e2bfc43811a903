/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Secrets on their way; see sealed.h. */
#include "secrets/sealed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "secrets/crypto.h"

#define LABEL "nfo-sealed-v1"

enum {
	KEYS_LEN = CRYPTO_KEY_LEN + CRYPTO_NONCE_LEN,
	RAW_MAX = X25519_PUBLIC_LEN + SEALED_VALUE_MAX + CRYPTO_TAG_LEN,
	BOUND_MAX = 1024
};

static int wrong(struct err *e)
{
	return err_set(e, ERR_INVALID,
		       "sealed: not of the form nfo1.KEY.TIME.TEXT");
}

/* Key and nonce of one message.  ret has KEYS_LEN bytes; the caller wipes. */
static int derive(const unsigned char *private_key,
		  const unsigned char *their_public,
		  const unsigned char *ephemeral, const unsigned char *keepers,
		  unsigned char *ret, struct err *e)
{
	unsigned char shared[CURVE_SHARED_LEN], salt[2 * X25519_PUBLIC_LEN];
	int bad;

	memcpy(salt, ephemeral, X25519_PUBLIC_LEN);
	memcpy(salt + X25519_PUBLIC_LEN, keepers, X25519_PUBLIC_LEN);
	bad = x25519_shared(private_key, their_public, shared, e) ||
	      crypto_hkdf(shared, sizeof(shared),
			  str_n((const char *)salt, sizeof(salt)), STR(LABEL),
			  ret, KEYS_LEN, e);
	mem_wipe(shared, sizeof(shared));
	return bad ? -1 : 0;
}

static int bind(struct buf *b, struct str kid, struct str time,
		const struct sealed_place *p, struct err *e)
{
	const struct str lines[] = {STR(LABEL), p->store, kid,      time,
				    p->project, p->name,  p->expect};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		if (str_has(lines[i], '\n'))
			return wrong(e);
		buf_str(b, lines[i]);
		buf_putc(b, '\n');
	}
	return b->failed ? wrong(e) : 0;
}

int sealed_make(struct str kid, const unsigned char *public_key, int64_t at_s,
		const struct sealed_place *p, struct str value, struct buf *ret,
		struct err *e)
{
	CLEANUP_BUF struct buf bound = BUF_INIT(BOUND_MAX);
	unsigned char private_key[CURVE_PRIVATE_LEN], keys[KEYS_LEN];
	CLEANUP_MEM unsigned char *raw = mem_alloc(RAW_MAX);
	size_t len = X25519_PUBLIC_LEN + value.len + CRYPTO_TAG_LEN;
	char time[24];
	int bad;

	if (!value.len || value.len > SEALED_VALUE_MAX)
		return err_set(e, ERR_LIMIT, "a secret has 1 to %d bytes",
			       SEALED_VALUE_MAX);
	(void)snprintf(time, sizeof(time), "%" PRId64, at_s);
	bad = x25519_new(private_key, raw, e) ||
	      bind(&bound, kid, str_from(time), p, e) ||
	      derive(private_key, public_key, raw, public_key, keys, e) ||
	      crypto_gcm_seal(keys, keys + CRYPTO_KEY_LEN, buf_view(&bound),
			      (const unsigned char *)value.p, value.len,
			      raw + X25519_PUBLIC_LEN,
			      raw + len - CRYPTO_TAG_LEN, e);
	mem_wipe(private_key, sizeof(private_key));
	mem_wipe(keys, sizeof(keys));
	if (bad)
		return -1;
	buf_printf(ret, "nfo1." STR_FMT ".%s.", STR_ARG(kid), time);
	return b64url_encode(ret, raw, len) ? 0 : wrong(e);
}

int sealed_parse(struct str text, struct sealed *ret, struct err *e)
{
	struct sealed s = {.raw = BUF_INIT(RAW_MAX)};
	struct str rest = text;

	if (text.len > SEALED_TEXT_MAX || !str_is(str_cut(&rest, '.'), "nfo1"))
		return wrong(e);
	s.kid = str_cut(&rest, '.');
	s.time = str_cut(&rest, '.');
	if (s.kid.len != SEALED_KID_LEN || s.time.len > SEALED_TIME_MAX ||
	    str_to_i64(s.time, 1, INT64_MAX / 1000000, &s.at_s) || !rest.p ||
	    b64url_decode(rest, &s.raw) ||
	    s.raw.len <= X25519_PUBLIC_LEN + CRYPTO_TAG_LEN) {
		sealed_done(&s);
		return wrong(e);
	}
	*ret = s;
	return 0;
}

void sealed_done(struct sealed *s)
{
	buf_done(&s->raw);
}

const unsigned char *sealed_ephemeral(const struct sealed *s)
{
	return (const unsigned char *)s->raw.data;
}

int sealed_open(const struct sealed *s, const unsigned char *private_key,
		const unsigned char *public_key, const struct sealed_place *p,
		struct secret **ret, struct err *e)
{
	CLEANUP_BUF struct buf bound = BUF_INIT(BOUND_MAX);
	const unsigned char *ephemeral = sealed_ephemeral(s);
	const unsigned char *text = ephemeral + X25519_PUBLIC_LEN;
	size_t len = s->raw.len - X25519_PUBLIC_LEN - CRYPTO_TAG_LEN;
	CLEANUP_SECRET struct secret *value = NULL;
	unsigned char keys[KEYS_LEN];
	int bad;

	bad = bind(&bound, s->kid, s->time, p, e) ||
	      secret_new(NULL, len, 0, &value, e) ||
	      derive(private_key, ephemeral, ephemeral, public_key, keys, e) ||
	      crypto_gcm_open(keys, keys + CRYPTO_KEY_LEN, buf_view(&bound),
			      text, len, text + len, secret_room(value), e);
	mem_wipe(keys, sizeof(keys));
	if (bad && e->code == ERR_INVALID)
		err_set(e, ERR_INVALID,
			"sealed: changed, or sealed for another project, name, "
			"version or store");
	if (bad)
		return -1;
	*ret = value;
	value = NULL;
	return 0;
}
