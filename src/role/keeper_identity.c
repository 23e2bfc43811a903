/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The keeper's own keys: made here, kept in the store, changed in their turn;
 * only their public halves leave.  What they sign says what a grant says.
 */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "identity/token.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/utsname.h>

#define SECOND_US INT64_C(1000000)
/* The longest token, whoever's clock is wrong by some minutes, and those that
 * keep the key set for a while. */
#define KEEP_US (INT64_C(3600) * SECOND_US)
/* Where the store could not be written; else when it is due. */
#define AGAIN_US    (60 * SECOND_US)
#define LOOK_MAX_US (3600 * SECOND_US)

#define SEALING_ROTATE_US (INT64_C(7) * 86400 * SECOND_US)

static const struct str own = {SECRET_STORE_OWN, sizeof(SECRET_STORE_OWN) - 1};

enum {
	SIGNING, /* of tokens */
	SEALING, /* what values on their way are sealed to */
	N_RINGS
};

static const struct {
	enum ring_kind kind;
	struct str name; /* in the store */
} kinds[N_RINGS] = {
	[SIGNING] = {RING_ES256,  STR("identity")},
	[SEALING] = {RING_X25519, STR("sealing") },
};

struct held {
	struct secret *mem; /* holds *ring; NULL: sealed, or not read yet */
	struct ring *ring;
	struct ring_rules rules;
};

struct keeper_identity {
	struct loop_timer *timer;
	struct held rings[N_RINGS];
	char issuer[ISSUER_MAX + 1];
	char node[sizeof(((struct utsname *)0)->nodename)];
};

/* --- the keys ------------------------------------------------------------ */

/* Only the newest is of use, and older ones hold keys that are gone. */
static int drop_older(struct keeper *k, struct str name, uint64_t newest,
		      struct err *e)
{
	CLEANUP_MEM struct secret_version *v =
		mem_array(SECRET_STORE_VERSIONS_MAX, sizeof(*v));
	size_t n = 0;

	if (secret_store_versions(k->store, own, name, v, &n, e))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (v[i].version != newest &&
		    secret_store_remove(k->store, own, name, v[i].version, e))
			return -1;
	return 0;
}

static int save(struct keeper *k, struct str name, const struct ring *ring,
		struct err *e)
{
	CLEANUP_SECRET struct secret *text = NULL;
	uint64_t version;

	return ring_encode(ring, &text, e) ||
			       secret_store_put(k->store, own, name, text,
						SECRET_VALUE_BYTES,
						SECRET_STORE_ANY, &version,
						e) ||
			       drop_older(k, name, version, e) ?
		       -1 :
		       0;
}

static int read_ring(struct keeper *k, struct str name, struct ring *ring,
		     struct err *e)
{
	CLEANUP_SECRET struct secret *text = NULL;

	if (!secret_store_get(k->store, own, name, 0, &text, NULL, e))
		return ring_decode(ring, text, e);
	return e->code == ERR_NOT_FOUND ? 0 : -1;
}

/* As it is to be now; a change is on the disk before it counts. */
static int turn(struct keeper *k, unsigned which, bool *ret_changed,
		struct err *e)
{
	struct held *h = &k->identity->rings[which];
	struct secret *mem = NULL;
	bool changed = false;
	struct ring *ring;

	if (!k->store)
		return err_set(e, ERR_UNAVAILABLE, "the store is sealed");
	if (ring_new(kinds[which].kind, &mem, &ring, e))
		return -1;
	if (h->ring)
		*ring = *h->ring;
	else if (read_ring(k, kinds[which].name, ring, e))
		goto bad;
	if (ring_turn(ring, &h->rules, clock_real_us(), &changed, e) ||
	    (changed && save(k, kinds[which].name, ring, e)))
		goto bad;
	*ret_changed |= changed || !h->ring;
	secret_free(h->mem);
	h->mem = mem;
	h->ring = ring;
	return 0;
bad:
	secret_free(mem);
	return -1;
}

/* --- the server ---------------------------------------------------------- */

static void tell(struct keeper *k)
{
	struct keeper_identity *id = k->identity;
	CLEANUP_BUF struct buf jwks = BUF_INIT(PUBLIC_KEYS_MAX);
	CLEANUP_BUF struct buf sealing = BUF_INIT(PUBLIC_KEYS_MAX);
	struct wire_writer w = {.len = 0};
	struct public_keys m;
	struct err e;

	if (!k->server || !id->rings[SIGNING].ring ||
	    !id->rings[SEALING].ring || !k->store)
		return;
	ring_jwks(id->rings[SIGNING].ring, &jwks);
	keeper_sealed_about(k, ring_current(id->rings[SEALING].ring), &sealing);
	m = (struct public_keys){str_from(id->issuer), buf_view(&jwks),
				 buf_view(&sealing)};
	public_keys_encode(&m, &w);
	if (chan_post(k->server, MSG_PUBLIC_KEYS, &w, NULL, 0, &e))
		log_warn("public keys: %s", e.text);
}

/* When it is to be looked at again. */
static int64_t look_at(struct keeper *k, unsigned which, bool *changed)
{
	const struct held *h = &k->identity->rings[which];
	struct err e;

	if (!turn(k, which, changed, &e))
		return ring_due_us(h->ring, &h->rules) - clock_real_us();
	if (k->store)
		log_error("the keeper's own keys (" STR_FMT "): %s",
			  STR_ARG(kinds[which].name), e.text);
	return AGAIN_US;
}

static void look(struct keeper *k, bool say)
{
	int64_t wait = LOOK_MAX_US;
	bool changed = false;

	for (unsigned i = 0; i < N_RINGS; i++) {
		int64_t due = look_at(k, i, &changed);

		wait = due < wait ? due : wait;
	}
	if (say || changed)
		tell(k);
	if (wait < SECOND_US)
		wait = SECOND_US;
	loop_timer_set(k->identity->timer,
		       k->store ? clock_mono_us() + wait : -1);
}

static void on_timer(void *ctx)
{
	look(ctx, false);
}

int keeper_identity_new(struct keeper *k, const struct role_init *init,
			struct err *e)
{
	struct keeper_identity *id = mem_alloc(sizeof(*id));
	struct utsname u;

	(void)e;
	k->identity = id;
	id->timer = loop_timer_new(k->loop, on_timer, k);
	id->rings[SIGNING].rules = (struct ring_rules){
		(int64_t)init->identity_rotate_s * SECOND_US, KEEP_US};
	id->rings[SEALING].rules =
		(struct ring_rules){SEALING_ROTATE_US, KEEP_US};
	(void)snprintf(id->issuer, sizeof(id->issuer), "%s", init->issuer);
	if (!uname(&u))
		(void)snprintf(id->node, sizeof(id->node), "%s", u.nodename);
	return 0;
}

void keeper_identity_free(struct keeper *k)
{
	keeper_identity_seal(k);
	loop_timer_free(k->identity->timer);
	mem_free(k->identity);
	k->identity = NULL;
}

void keeper_identity_wake(struct keeper *k)
{
	look(k, true);
}

void keeper_identity_seal(struct keeper *k)
{
	for (unsigned i = 0; i < N_RINGS; i++) {
		struct held *h = &k->identity->rings[i];

		secret_free(h->mem);
		h->mem = NULL;
		h->ring = NULL;
	}
	loop_timer_set(k->identity->timer, -1);
}

const struct ring *keeper_sealing(const struct keeper *k)
{
	return k->identity->rings[SEALING].ring;
}

/* --- tokens -------------------------------------------------------------- */

int keeper_mint(struct keeper *k, const struct grant *g, struct str audience,
		uint32_t ttl_s, int64_t ends_us, struct secret **ret,
		int64_t *ret_expires_us, struct err *e)
{
	CLEANUP_BUF struct buf claims = BUF_INIT(TOKEN_MAX);
	struct keeper_identity *id = k->identity;
	int64_t now_s = clock_real_us() / SECOND_US;
	struct token_facts f = {
		.g = g,
		.issuer = str_from(id->issuer),
		.audience = audience,
		.node = str_from(id->node),
		.id = ulid_new(),
		.issued_s = now_s,
	};
	struct held *h = &id->rings[SIGNING];
	bool changed = false;

	if (!ttl_s)
		ttl_s = TOKEN_TTL_S;
	f.expires_s =
		now_s + (ttl_s < TOKEN_TTL_MAX_S ? ttl_s : TOKEN_TTL_MAX_S);
	if (f.expires_s > ends_us / SECOND_US)
		f.expires_s = ends_us / SECOND_US;
	if (f.expires_s <= now_s)
		return err_set(e, ERR_DENIED, "the attempt's time is over");
	if (!h->ring && turn(k, SIGNING, &changed, e))
		return -1;
	if (token_claims(&f, &claims, e) ||
	    token_sign(ring_current(h->ring), buf_view(&claims), ret, e))
		return -1;
	if (ret_expires_us)
		*ret_expires_us = f.expires_s * SECOND_US;
	return 0;
}
