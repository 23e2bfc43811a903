/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Values that were sealed for us (secrets/sealed.h): opened here, and nowhere
 * before.  One counts for ten minutes, once, and only for the process that it
 * was sealed for, so that what was used need not be remembered for longer.
 */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/mem.h"
#include "identity/ring.h"
#include "secrets/sealed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	AGE_MAX_S = 600,
	AHEAD_MAX_S = 60,
	USED_MAX = 4096, /* in AGE_MAX_S */
	START_LEN = 8,
	PLACE_MAX = 128
};

struct keeper_sealed {
	int64_t start_s;
	char start[2 * START_LEN + 1]; /* of this process alone */
	size_t n;
	struct used {
		int64_t at_s;
		unsigned char ephemeral[X25519_PUBLIC_LEN];
	} used[USED_MAX];
};

static int64_t now_s(void)
{
	return clock_real_us() / 1000000;
}

int keeper_sealed_new(struct keeper *k, struct err *e)
{
	struct keeper_sealed *s = mem_alloc(sizeof(*s));
	unsigned char raw[START_LEN];

	(void)e;
	random_bytes(raw, sizeof(raw));
	hex_encode(raw, sizeof(raw), s->start);
	s->start_s = now_s();
	k->sealed = s;
	return 0;
}

void keeper_sealed_free(struct keeper *k)
{
	mem_free(k->sealed);
	k->sealed = NULL;
}

/* The store, and this process. */
static void place_of(const struct keeper *k, char out[PLACE_MAX])
{
	char id[SECRET_STORE_ID_LEN + 1];

	secret_store_id(k->store, id);
	(void)snprintf(out, PLACE_MAX, "%s-%s", id, k->sealed->start);
}

void keeper_sealed_about(const struct keeper *k, const struct ring_key *key,
			 struct buf *b)
{
	char place[PLACE_MAX];

	place_of(k, place);
	buf_printf(b, "\"kid\":\"%s\",\"store\":\"%s\",\"public_key\":\"",
		   key->kid, place);
	b64url_encode(b, key->public_key, X25519_PUBLIC_LEN);
	buf_putc(b, '"');
}

/* --- once ---------------------------------------------------------------- */

static int check_time(const struct keeper_sealed *u, int64_t at_s,
		      struct err *e)
{
	int64_t now = now_s();

	if (at_s > now + AHEAD_MAX_S)
		return err_set(e, ERR_INVALID, "sealed: of the future");
	if (now - at_s > AGE_MAX_S || at_s < u->start_s)
		return err_set(e, ERR_INVALID,
			       "sealed: too old: ask for the key again, and "
			       "seal it again");
	return 0;
}

static int check_used(struct keeper_sealed *u, const struct sealed *s,
		      struct err *e)
{
	int64_t now = now_s();
	size_t n = 0;

	for (size_t i = 0; i < u->n; i++)
		if (now - u->used[i].at_s <= AGE_MAX_S)
			u->used[n++] = u->used[i];
	u->n = n;
	for (size_t i = 0; i < u->n; i++)
		if (!memcmp(u->used[i].ephemeral, sealed_ephemeral(s),
			    X25519_PUBLIC_LEN))
			return err_set(e, ERR_CONFLICT,
				       "sealed: it was used before");
	if (u->n == USED_MAX)
		return err_set(e, ERR_LIMIT,
			       "sealed: more than %d in ten minutes", USED_MAX);
	return 0;
}

static void mark_used(struct keeper_sealed *u, const struct sealed *s)
{
	struct used *x = &u->used[u->n++];

	x->at_s = s->at_s;
	memcpy(x->ephemeral, sealed_ephemeral(s), X25519_PUBLIC_LEN);
}

/* --- the message --------------------------------------------------------- */

static void expect_text(uint64_t expect, char out[24])
{
	if (expect == EXPECT_ANY)
		(void)snprintf(out, 24, "any");
	else if (expect == EXPECT_NONE)
		(void)snprintf(out, 24, "none");
	else
		(void)snprintf(out, 24, "%" PRIu64, expect);
}

static int open_it(struct keeper *k, const struct sealed *s, struct str project,
		   struct str name, uint64_t expect, struct secret **ret,
		   struct err *e)
{
	const struct ring *ring = keeper_sealing(k);
	char place[PLACE_MAX], wanted[24];
	const struct ring_key *key;
	struct sealed_place p = {str_n("", 0), project, name, str_n("", 0)};

	if (!ring || !k->store)
		return err_set(e, ERR_UNAVAILABLE, "the store is sealed");
	key = ring_find(ring, s->kid);
	if (!key || !key->since_us)
		return err_set(e, ERR_INVALID,
			       "sealed: to a key that is not ours, or not any "
			       "more: ask for it again");
	place_of(k, place);
	expect_text(expect, wanted);
	p.store = str_from(place);
	p.expect = str_from(wanted);
	if (check_time(k->sealed, s->at_s, e) || check_used(k->sealed, s, e) ||
	    sealed_open(s, key->private_key, key->public_key, &p, ret, e))
		return -1;
	mark_used(k->sealed, s);
	return 0;
}

int keeper_put_sealed(struct keeper *k, uint64_t tag, struct wire_reader *r,
		      struct chan_msg *msg)
{
	struct str project = wire_get_str(r, 63), name = wire_get_str(r, 63);
	uint64_t expect = wire_get_u64(r);
	CLEANUP_BUF struct buf text = BUF_INIT(SEALED_TEXT_MAX);
	CLEANUP_SECRET struct secret *value = NULL;
	struct sealed s;
	struct err e;
	int bad;

	if (!wire_end(r) || msg->n_fds != 1 ||
	    fd_memfd_read(msg->fds[0], &text, &e))
		return -1;
	if (sealed_parse(buf_view(&text), &s, &e))
		return keeper_answer(k, tag, -1, 0, &e);
	bad = open_it(k, &s, project, name, expect, &value, &e);
	sealed_done(&s);
	return bad ? keeper_answer(k, tag, -1, 0, &e) :
		     keeper_put_value(k, tag, project, name, expect, value);
}
