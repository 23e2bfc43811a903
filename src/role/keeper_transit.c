/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Slots whose key a transit engine of Vault has sealed: one that is made, all of
 * them for a new root key, and above all the store that is opened by one at the
 * start, as soon as its provider answers.  One such thing at a time.
 */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "vault/transit.h"

#include <stdio.h>
#include <string.h>

enum {
	AGAIN_FIRST_S = 1, /* doubles */
	AGAIN_MAX_S = 300,
};

enum work {
	IDLE,
	OPENS, /* the store */
	ADDS,  /* a slot: its key is sealed, then opened to see whether it is */
	REKEYS
};

struct keeper_transit {
	enum work work;
	bool asked; /* tag is to be answered */
	uint64_t tag;
	bool accept;                                      /* a rollback */
	struct secret_slot slots[SECRET_STORE_SLOTS_MAX]; /* of this kind */
	size_t n, at;
	char id[SECRET_STORE_ID_LEN + 1];
	struct transit *call;
	struct err why; /* what the last one said */
	bool again;     /* and it may open it later */
	/* ADDS */
	struct secret *key;
	/* REKEYS: passphrases, then the keys of slots */
	struct secret_opener by[KEEPER_REKEY_MAX];
	size_t n_by;
	/* OPENS: what is tried again */
	struct loop_timer *timer;
	unsigned fails;
	int64_t tried_us;
};

static void next_slot(struct keeper *k);

/* --- the end ------------------------------------------------------------- */

static void idle(struct keeper_transit *t)
{
	transit_cancel(t->call);
	t->call = NULL;
	secret_free(t->key);
	t->key = NULL;
	for (size_t i = 0; i < t->n_by; i++)
		secret_free((struct secret *)(uintptr_t)t->by[i].key);
	t->n_by = 0;
	t->work = IDLE;
	t->asked = false;
}

static void answer(struct keeper *k, int bad, uint64_t number,
		   const struct err *e)
{
	struct keeper_transit *t = k->transit;
	bool asked = t->asked;

	idle(t);
	if (asked)
		(void)!keeper_answer(k, t->tag, bad, number, e);
}

static bool begin(struct keeper *k, enum work work, struct err *e)
{
	struct keeper_transit *t = k->transit;

	if (t->work != IDLE) {
		err_set(e, ERR_LIMIT,
			"too soon: a provider is being asked for a key");
		return false;
	}
	if (work != REKEYS && !k->vault) {
		err_set(e, ERR_NOT_FOUND, "the settings have no provider");
		return false;
	}
	loop_timer_set(t->timer, -1);
	t->work = work;
	t->again = false;
	t->n = t->at = 0;
	return true;
}

/* Those of this kind. */
static void pick(struct keeper_transit *t, const struct secret_slot *slots,
		 size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slots[i].kind == SECRET_SLOT_TRANSIT)
			t->slots[t->n++] = slots[i];
}

/* --- the store is opened ------------------------------------------------- */

static void wait_s(struct keeper_transit *t, unsigned s)
{
	loop_timer_set(t->timer, t->tried_us + (int64_t)s * 1000000);
}

/* None has opened it: it stays sealed, and why. */
static void open_failed(struct keeper *k)
{
	struct keeper_transit *t = k->transit;
	bool was_asked = k->seal.reason == SEAL_ASKED;
	unsigned s = AGAIN_FIRST_S;

	if (t->asked)
		keeper_unseal_counts(k, true);
	for (unsigned i = 0; i < t->fails && s < AGAIN_MAX_S; i++)
		s *= 2;
	/* Who asked for it to be opened has taken back that it is sealed. */
	if (t->again) {
		keeper_unmark(k);
		keeper_seal_reason(k, SEAL_PROVIDER, t->why.text);
		t->fails++;
		wait_s(t, s < AGAIN_MAX_S ? s : AGAIN_MAX_S);
	} else if (!was_asked) {
		keeper_seal_reason(k, SEAL_NO_KEY, t->why.text);
	}
	if (!t->again || t->fails == 1)
		log_warn("the secret store stays sealed: %s", t->why.text);
	answer(k, -1, 0, &t->why);
	keeper_tell_state(k);
}

static void open_ended(struct keeper *k)
{
	struct keeper_transit *t = k->transit;

	log_info("provider %s has opened the secret store",
		 t->slots[t->at].transit.provider);
	if (t->asked)
		keeper_unseal_counts(k, false);
	keeper_unmark(k);
	t->fails = 0;
	answer(k, 0, 0, NULL);
	keeper_tell_state(k);
}

/* The slot's commitment is what says whether it is its key. */
static void open_by(struct keeper *k, const struct secret *key)
{
	struct keeper_transit *t = k->transit;
	const struct secret_slot *slot = &t->slots[t->at];
	struct secret_opener by = {.kind = SECRET_SLOT_TRANSIT, .key = key};
	struct err e;

	if (!keeper_open_with(k, &by, 1, t->accept, &e)) {
		open_ended(k);
		return;
	}
	if (e.code == ERR_DENIED) {
		err_set(&t->why, ERR_DENIED,
			"slot %llu: what %s opened with %s/%s is not the key "
			"of the slot",
			(unsigned long long)slot->id, slot->transit.provider,
			slot->transit.mount, slot->transit.key);
		t->at++;
		next_slot(k);
		return;
	}
	if (!keeper_stays_sealed(k, &e)) { /* the disk, or memory: later */
		t->why = e;
		t->again = true;
		open_failed(k);
		return;
	}
	log_error("the secret store stays sealed: %s", e.text);
	answer(k, -1, 0, &e);
	keeper_tell_state(k);
}

/* --- a slot is made ------------------------------------------------------ */

static void add(struct keeper *k)
{
	struct keeper_transit *t = k->transit;
	struct secret_opener by = {.kind = SECRET_SLOT_TRANSIT,
				   .key = t->key,
				   .transit = &t->slots[0].transit};
	uint64_t id = 0;
	struct err e;
	int bad = secret_store_slot_add(k->store, &by, &id, &e);

	answer(k, bad, id, &e);
}

static void ask(struct keeper *k, const struct secret *to_seal);

/* Sealed: can it be opened, too?  Opened: is it that? */
static void add_next(struct keeper *k, const struct secret_transit *where,
		     const struct secret *key)
{
	struct keeper_transit *t = k->transit;
	struct err e;

	if (!key) {
		t->slots[0].transit = *where;
		ask(k, NULL);
	} else if (secret_eq(key, t->key)) {
		add(k);
	} else {
		err_set(&e, ERR_CONFLICT,
			"%s: what it opened is not what it had sealed",
			where->provider);
		answer(k, -1, 0, &e);
	}
}

/* --- a new root key ------------------------------------------------------ */

static void rekey(struct keeper *k)
{
	struct keeper_transit *t = k->transit;

	if (t->asked)
		keeper_rekey_by(k, t->tag, t->by, t->n_by);
	idle(t);
}

static void rekey_next(struct keeper *k, const struct secret *key)
{
	struct keeper_transit *t = k->transit;
	struct secret_view v = secret_bytes(key);
	struct secret *copy;
	struct err e;

	if (secret_new(v.bytes, v.n_bytes, SECRET_WIPE_ON_FORK, &copy, &e)) {
		answer(k, -1, 0, &e);
		return;
	}
	t->by[t->n_by++] = (struct secret_opener){.kind = SECRET_SLOT_TRANSIT,
						  .key = copy};
	t->at++;
	next_slot(k);
}

/* --- one after the other ------------------------------------------------- */

static void failed(struct keeper *k, const struct err *why)
{
	struct keeper_transit *t = k->transit;

	t->why = *why;
	if (t->work != OPENS) {
		answer(k, -1, 0, &t->why);
		return;
	}
	/* What is no key at all stays what it is; a refusal may be mended. */
	t->again |= why->code != ERR_CONFLICT;
	t->at++;
	next_slot(k);
}

static void on_answer(void *ctx, const struct secret_transit *where,
		      const struct secret *key, const struct err *why)
{
	struct keeper *k = ctx;
	struct keeper_transit *t = k->transit;

	t->call = NULL;
	if (why)
		failed(k, why);
	else if (t->work == OPENS)
		open_by(k, key);
	else if (t->work == ADDS)
		add_next(k, where, key);
	else
		rekey_next(k, key);
}

static void ask(struct keeper *k, const struct secret *to_seal)
{
	struct keeper_transit *t = k->transit;
	struct err e;

	if (!k->vault)
		err_set(&e, ERR_NOT_FOUND, "the settings have no provider");
	else
		t->call = transit_start(k->vault, &t->slots[t->at].transit,
					t->id, to_seal, on_answer, k, &e);
	if (t->call)
		return;
	/* Nothing but other settings helps. */
	t->why = e;
	if (t->work == OPENS) {
		t->at++;
		next_slot(k);
	} else {
		answer(k, -1, 0, &t->why);
	}
}

static void next_slot(struct keeper *k)
{
	struct keeper_transit *t = k->transit;

	if (t->at < t->n)
		ask(k, NULL);
	else if (t->work == REKEYS)
		rekey(k);
	else
		open_failed(k);
}

/* --- what is asked of us ------------------------------------------------- */

/* 1: it is under way; 0: there is no such slot; -1. */
static int opening(struct keeper *k, struct err *e)
{
	struct secret_store_opts o = keeper_store_opts(k);
	struct secret_slot slots[SECRET_STORE_SLOTS_MAX];
	struct keeper_transit *t = k->transit;
	size_t n = 0;

	if (!begin(k, OPENS, e))
		return -1;
	t->tried_us = clock_mono_us();
	if (secret_store_peek(&o, slots, &n, t->id, e)) {
		idle(t);
		return -1;
	}
	pick(t, slots, n);
	if (!t->n)
		idle(t);
	return t->n > 0;
}

void keeper_transit_start(struct keeper *k)
{
	struct keeper_transit *t = k->transit;
	struct err e;

	if (k->store || !k->vault ||
	    (k->seal.reason != SEAL_NO_KEY && k->seal.reason != SEAL_PROVIDER))
		return;
	t->accept = false;
	if (opening(k, &e) > 0) {
		if (k->seal.reason == SEAL_NO_KEY)
			keeper_seal_reason(k, SEAL_PROVIDER,
					   "its provider is being asked");
		next_slot(k);
	}
}

bool keeper_transit_unseal(struct keeper *k, uint64_t tag, bool accept,
			   struct err *e)
{
	struct keeper_transit *t = k->transit;
	struct err why;
	int rc;

	if (!k->vault)
		return false;
	rc = opening(k, &why);
	if (rc <= 0) {
		if (rc)
			*e = why;
		return false;
	}
	t->asked = true;
	t->tag = tag;
	t->accept = accept;
	next_slot(k);
	return true;
}

static void on_timer(void *ctx)
{
	keeper_transit_start(ctx);
}

/* Not at once: it may go up and down. */
void keeper_transit_heard(struct keeper *k, const char *provider)
{
	struct keeper_transit *t = k->transit;

	if (k->store || k->seal.reason != SEAL_PROVIDER || t->work != IDLE)
		return;
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->slots[i].transit.provider, provider))
			wait_s(t, AGAIN_FIRST_S);
}

void keeper_transit_stop(struct keeper *k, const char *why)
{
	struct keeper_transit *t = k->transit;
	struct err e;

	loop_timer_set(t->timer, -1);
	t->fails = 0;
	err_set(&e, ERR_CONFLICT, "%s", why);
	if (t->work != IDLE)
		answer(k, -1, 0, &e);
}

void keeper_transit_unasked(struct keeper *k)
{
	struct keeper_transit *t = k->transit;

	if (t->work == OPENS)
		t->asked = false;
	else
		idle(t);
}

bool keeper_transit_add(struct keeper *k, uint64_t tag, struct str where,
			struct err *e)
{
	struct keeper_transit *t = k->transit;
	unsigned char key[TRANSIT_KEY_LEN];
	int bad;

	if (!begin(k, ADDS, e))
		return false;
	if (secret_transit_read(where, &t->slots[0].transit, e)) {
		idle(t);
		return false;
	}
	random_bytes(key, sizeof(key));
	bad = secret_new(key, sizeof(key), SECRET_WIPE_ON_FORK, &t->key, e);
	mem_wipe(key, sizeof(key));
	if (bad) {
		idle(t);
		return false;
	}
	secret_store_id(k->store, t->id);
	t->asked = true;
	t->tag = tag;
	ask(k, t->key);
	return true;
}

void keeper_transit_rekey(struct keeper *k, uint64_t tag, struct secret **pass,
			  size_t n_pass)
{
	struct secret_slot slots[SECRET_STORE_SLOTS_MAX];
	struct keeper_transit *t = k->transit;
	size_t n = 0;
	struct err e;

	if (!begin(k, REKEYS, &e) ||
	    secret_store_slots(k->store, slots, &n, &e)) {
		for (size_t i = 0; i < n_pass; i++)
			secret_free(pass[i]);
		if (t->work == REKEYS)
			idle(t);
		(void)!keeper_answer(k, tag, -1, 0, &e);
		return;
	}
	for (size_t i = 0; i < n_pass; i++)
		t->by[t->n_by++] = (struct secret_opener){
			.kind = SECRET_SLOT_PASSPHRASE, .key = pass[i]};
	pick(t, slots, n);
	secret_store_id(k->store, t->id);
	t->asked = true;
	t->tag = tag;
	next_slot(k);
}

/* --- its life ------------------------------------------------------------ */

void keeper_transit_new(struct keeper *k)
{
	k->transit = mem_alloc(sizeof(*k->transit));
	k->transit->timer = loop_timer_new(k->loop, on_timer, k);
}

void keeper_transit_free(struct keeper *k)
{
	idle(k->transit);
	loop_timer_free(k->transit->timer);
	mem_free(k->transit);
	k->transit = NULL;
}
