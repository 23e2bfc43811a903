/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Keys over time; see ring.h. */
#include "identity/ring.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/wire.h"

#include <assert.h>
#include <string.h>

enum {
	FORMAT = 1
};

static const struct {
	size_t public_len;
	int (*make)(unsigned char *private_key, unsigned char *public_key,
		    struct err *e);
} kinds[N_RING_KINDS] = {
	[RING_ES256] = {ES256_PUBLIC_LEN,  es256_new },
	[RING_X25519] = {X25519_PUBLIC_LEN, x25519_new},
};

int ring_new(enum ring_kind kind, struct secret **ret_mem, struct ring **ret,
	     struct err *e)
{
	_Static_assert(sizeof(struct ring) % _Alignof(struct ring) == 0,
		       "secrets end at the end of a page");
	if (secret_new(NULL, sizeof(struct ring), 0, ret_mem, e))
		return -1;
	*ret = (struct ring *)(void *)secret_room(*ret_mem);
	(*ret)->kind = kind;
	return 0;
}

/* --- public -------------------------------------------------------------- */

/* The members that a thumbprint is made of, in its order (RFC 7638, 3.2). */
static void put_members(const struct ring *r, const struct ring_key *k,
			struct buf *b)
{
	if (r->kind == RING_X25519) {
		buf_puts(b, "\"crv\":\"X25519\",\"kty\":\"OKP\",\"x\":\"");
		b64url_encode(b, k->public_key, X25519_PUBLIC_LEN);
	} else {
		buf_puts(b, "\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
		b64url_encode(b, k->public_key, ES256_PUBLIC_LEN / 2);
		buf_puts(b, "\",\"y\":\"");
		b64url_encode(b, k->public_key + ES256_PUBLIC_LEN / 2,
			      ES256_PUBLIC_LEN / 2);
	}
	buf_putc(b, '"');
}

static void name_key(const struct ring *r, struct ring_key *k)
{
	CLEANUP_BUF struct buf text = BUF_INIT(512), kid = BUF_INIT(128);
	struct hash h;

	buf_putc(&text, '{');
	put_members(r, k, &text);
	buf_putc(&text, '}');
	h = hash_sha256(text.data, text.len);
	b64url_encode(&kid, h.b, HASH_LEN);
	assert(kid.len == RING_KID_LEN);
	memcpy(k->kid, kid.data, kid.len);
}

bool ring_jwks(const struct ring *r, struct buf *b)
{
	buf_puts(b, "{\"keys\":[");
	for (size_t i = r->n; i-- > 0;) {
		buf_putc(b, '{');
		put_members(r, &r->keys[i], b);
		buf_printf(b, ",\"kid\":\"%s\"%s}%s", r->keys[i].kid,
			   r->kind == RING_ES256 ?
				   ",\"use\":\"sig\",\"alg\":\"ES256\"" :
				   ",\"use\":\"enc\"",
			   i ? "," : "");
	}
	buf_puts(b, "]}");
	return !b->failed;
}

/* --- time ---------------------------------------------------------------- */

static void drop(struct ring *r, size_t i)
{
	r->n--;
	memmove(&r->keys[i], &r->keys[i + 1], (r->n - i) * sizeof(r->keys[0]));
	mem_wipe(&r->keys[r->n], sizeof(r->keys[0]));
}

static int add(struct ring *r, int64_t since_us, struct err *e)
{
	struct ring_key *k;

	if (r->n == RING_KEYS_MAX)
		drop(r, 0);
	k = &r->keys[r->n];
	if (kinds[r->kind].make(k->private_key, k->public_key, e)) {
		mem_wipe(k, sizeof(*k));
		return -1;
	}
	k->since_us = since_us;
	name_key(r, k);
	r->n++;
	return 0;
}

const struct ring_key *ring_current(const struct ring *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->keys[i].since_us && !r->keys[i].until_us)
			return &r->keys[i];
	return NULL;
}

const struct ring_key *ring_find(const struct ring *r, struct str kid)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_is(kid, r->keys[i].kid))
			return &r->keys[i];
	return NULL;
}

int ring_turn(struct ring *r, const struct ring_rules *rules, int64_t now_us,
	      bool *ret_changed, struct err *e)
{
	*ret_changed = false;
	for (size_t i = 0; i < r->n; i++)
		if (r->keys[i].until_us &&
		    now_us - r->keys[i].until_us > rules->keep_us) {
			drop(r, i--);
			*ret_changed = true;
		}
	if (!r->n) {
		*ret_changed = true;
		return add(r, now_us, e) || add(r, 0, e) ? -1 : 0;
	}
	/* the last is the next, the one before it in use: ring_decode() */
	if (now_us - r->keys[r->n - 2].since_us < rules->rotate_us)
		return 0;
	*ret_changed = true;
	r->keys[r->n - 2].until_us = now_us;
	r->keys[r->n - 1].since_us = now_us;
	return add(r, 0, e);
}

int64_t ring_due_us(const struct ring *r, const struct ring_rules *rules)
{
	const struct ring_key *now = ring_current(r);
	int64_t due = now ? now->since_us + rules->rotate_us : 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->keys[i].until_us &&
		    r->keys[i].until_us + rules->keep_us + 1 < due)
			due = r->keys[i].until_us + rules->keep_us + 1;
	return due;
}

/* --- stored -------------------------------------------------------------- */

int ring_encode(const struct ring *r, struct secret **ret, struct err *e)
{
	struct wire_writer w = {.len = 0};
	int bad;

	wire_u8(&w, FORMAT);
	wire_u8(&w, (uint8_t)r->kind);
	wire_u8(&w, (uint8_t)r->n);
	for (size_t i = 0; i < r->n; i++) {
		wire_u64(&w, (uint64_t)r->keys[i].since_us);
		wire_u64(&w, (uint64_t)r->keys[i].until_us);
		wire_bytes(&w, r->keys[i].private_key, CURVE_PRIVATE_LEN);
		wire_bytes(&w, r->keys[i].public_key,
			   kinds[r->kind].public_len);
	}
	bad = secret_new(w.data, w.len, 0, ret, e);
	mem_wipe(w.data, w.len);
	return bad;
}

/* Old ones, then the one in use, then the next. */
static bool in_order(const struct ring *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct ring_key *k = &r->keys[i];
		bool old = i + 2 < r->n, next = i + 1 == r->n;

		if (k->since_us < 0 || k->until_us < 0 ||
		    !k->since_us != next || !k->until_us == old)
			return false;
	}
	return r->n != 1;
}

int ring_decode(struct ring *r, const struct secret *text, struct err *e)
{
	struct secret_view v = secret_bytes(text);
	struct wire_reader in = wire_reader(v.bytes, v.n_bytes);
	bool ok = wire_get_u8(&in) == FORMAT && wire_get_u8(&in) == r->kind;

	mem_wipe(r->keys, sizeof(r->keys));
	r->n = wire_get_u8(&in);
	ok = ok && r->n <= RING_KEYS_MAX;
	for (size_t i = 0; ok && i < r->n; i++) {
		r->keys[i].since_us = (int64_t)wire_get_u64(&in);
		r->keys[i].until_us = (int64_t)wire_get_u64(&in);
		wire_get_bytes(&in, r->keys[i].private_key, CURVE_PRIVATE_LEN);
		wire_get_bytes(&in, r->keys[i].public_key,
			       kinds[r->kind].public_len);
		name_key(r, &r->keys[i]);
	}
	if (ok && wire_end(&in) && in_order(r))
		return 0;
	mem_wipe(r->keys, sizeof(r->keys));
	r->n = 0;
	return err_set(e, ERR_INVALID, "the keeper's own keys are damaged");
}
