/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What an attempt gets: the secrets of its grant and no others, over the one
 * channel that is the attempt.  It asks for all at once, each with a tag; each
 * answer goes out when it is there.  When the channel closes the attempt has
 * ended, and what was still under way for it is given up.
 */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "secrets/ref.h"

#include <malloc.h>

#define TIDY_US INT64_C(1000000) /* at most so often */

struct attempt {
	struct link link;
	struct keeper *k;
	struct grant g;
	struct chan *chan; /* NULL: closed */
	struct loop_timer *bury;
	struct link fetches;       /* of providers */
	bool asked[UINT8_MAX + 1]; /* by tag */
	unsigned n_asked;
	int64_t ends_us; /* real time: at the latest */
	struct keeper_tokens *tokens;
};

/* One question of an attempt's. */
struct fetch {
	struct link link;
	struct attempt *a;
	struct vault_read *read; /* of a provider; ours */
	struct helper_call *helped;
	bool told; /* once: what comes then is new */
	uint8_t tag;
	uint8_t flags; /* GRANT_REF_* */
};

/* --- answers ------------------------------------------------------------ */

static int no(const struct fetch *f, const struct err *why, bool wait)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	wire_u8(&w, f->tag);
	wire_u8(&w, (uint8_t)why->code);
	wire_u8(&w, wait);
	wire_str(&w, str_from(why->text));
	return chan_post(f->a->chan, MSG_SECRET_NO, &w, NULL, 0, &e);
}

static int yes(const struct fetch *f, enum msg_type type, enum secret_form form,
	       const struct secret *value)
{
	struct secret_view v = secret_bytes(value);
	struct str s = str_n((const char *)v.bytes, v.n_bytes);
	struct wire_writer w = {.len = 0};
	CLEANUP_FD int fd = -1;
	struct err e;
	int bad;

	wire_u8(&w, f->tag);
	wire_u8(&w, (uint8_t)form);
	if (s.len <= SECRET_INLINE_MAX) {
		wire_str(&w, s);
	} else {
		fd = fd_memfd_sealed("secret", s, &e);
		if (fd < 0)
			return no(f, &e, false);
	}
	bad = chan_post(f->a->chan, (uint16_t)type, &w, &fd, fd >= 0, &e);
	mem_wipe(w.data, w.len);
	return bad;
}

/* --- who has it --------------------------------------------------------- */

static int from_store(const struct fetch *f, const struct secret_ref *ref)
{
	CLEANUP_SECRET struct secret *value = NULL;
	struct err e;

	if (!f->a->k->store) {
		err_set(&e, ERR_UNAVAILABLE, "the secret store is sealed");
		return no(f, &e, true);
	}
	if (secret_store_get(f->a->k->store, str_from(ref->project),
			     str_from(ref->path), ref->version, &value, NULL,
			     &e))
		return no(f, &e, false);
	return yes(f, MSG_SECRET, SECRET_VALUE, value);
}

static int new_token(void *ctx, uint8_t tag, const struct secret *token)
{
	struct fetch f = {.a = ctx, .tag = tag};

	return f.a->chan ? yes(&f, MSG_SECRET_NEW, SECRET_VALUE, token) : -1;
}

static int from_us(const struct fetch *f, const struct secret_ref *ref)
{
	CLEANUP_SECRET struct secret *token = NULL;
	struct attempt *a = f->a;
	struct err e;

	if (!a->tokens)
		a->tokens = keeper_tokens_new(a->k, &a->g, a->ends_us,
					      new_token, a);
	if (keeper_tokens_add(a->tokens, f->tag, ref,
			      f->flags & GRANT_REF_REFRESH, &token, &e))
		return no(f, &e, e.code == ERR_UNAVAILABLE);
	return yes(f, MSG_SECRET, SECRET_VALUE, token);
}

/* Whoever does not get its answer has no use for the channel any more. */
static void on_read(void *ctx, enum secret_form form,
		    const struct secret *value, const struct err *why)
{
	struct fetch *f = ctx;
	int bad = 0;

	if (value)
		bad = yes(f, f->told ? MSG_SECRET_NEW : MSG_SECRET, form,
			  value);
	else if (!f->told)
		bad = no(f, why, why->code == ERR_UNAVAILABLE);
	f->told = true;
	if (bad)
		loop_timer_set(f->a->bury, clock_mono_us());
}

static int from_vault(const struct fetch *asked, const struct secret_ref *ref)
{
	struct attempt *a = asked->a;
	struct fetch *f;
	struct err e;

	if (!a->k->vault) {
		err_set(&e, ERR_NOT_FOUND,
			"the settings have no secret_providers");
		return no(asked, &e, false);
	}
	f = mem_alloc(sizeof(*f));
	*f = *asked;
	list_push(&a->fetches, &f->link);
	f->read = vault_read(a->k->vault, ref, &a->g, f->flags, on_read, f);
	return 0;
}

static void on_helped(void *ctx, enum secret_form form,
		      const struct secret *value, const struct err *why)
{
	((struct fetch *)ctx)->helped = NULL;
	on_read(ctx, form, value, why);
}

static int from_helper(const struct fetch *asked, const struct secret_ref *ref)
{
	struct fetch *f = mem_alloc(sizeof(*f));

	*f = *asked;
	list_push(&asked->a->fetches, &f->link);
	f->helped = keeper_helper_run(asked->a->k, ref, on_helped, f);
	return 0;
}

static int (*const sources[])(const struct fetch *f,
			      const struct secret_ref *ref) = {
	[SECRET_REF_STORE] = from_store,
	[SECRET_REF_VAULT] = from_vault,
	[SECRET_REF_EXEC] = from_helper,
	[SECRET_REF_IDENTITY] = from_us,
};

/* The same may be granted under several names. */
static bool granted(const struct grant *g, const struct hash *h, uint8_t *flags)
{
	bool is = false;

	for (size_t i = 0; i < g->n_refs; i++) {
		if (!hash_eq(&g->refs[i].ref, h))
			continue;
		*flags |= g->refs[i].flags;
		is = true;
	}
	return is;
}

static int run_key(const struct fetch *f)
{
	CLEANUP_SECRET struct secret *key = NULL;
	struct err e;

	if (!f->a->g.run_key) {
		err_set(&e, ERR_DENIED, "not granted to this attempt");
		return no(f, &e, false);
	}
	if (keeper_run_key(f->a->k, &f->a->g.who.run, &key, &e))
		return no(f, &e, e.code == ERR_UNAVAILABLE);
	return yes(f, MSG_SECRET, SECRET_VALUE, key);
}

static int on_fetch(struct attempt *a, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct fetch f = {.a = a, .tag = wire_get_u8(&r)};
	struct str text = wire_get_str(&r, SECRET_REF_TEXT_MAX);
	struct secret_ref ref;
	struct hash h;
	struct err e;

	if (f.tag == FETCH_RUN_KEY && !text.len && wire_end(&r))
		return run_key(&f);
	/* Each of the grant once: an answer may be a program that runs. */
	if (!wire_end(&r) || msg->n_fds || a->asked[f.tag] ||
	    a->n_asked++ >= a->g.n_refs || secret_ref_parse(text, &ref, &e))
		return -1;
	a->asked[f.tag] = true;
	h = hash_sha256(text.p, text.len);
	if (!granted(&a->g, &h, &f.flags)) {
		err_set(&e, ERR_DENIED, "not granted to this attempt");
		return no(&f, &e, false);
	}
	return sources[ref.kind](&f, &ref);
}

/* --- the channel -------------------------------------------------------- */

static int on_attempt(void *ctx, struct chan_msg *msg)
{
	return msg->type == MSG_FETCH ? on_fetch(ctx, msg) : -1;
}

/* What the allocator keeps of the busiest moment goes back to the system. */
static void on_tidy(void *ctx)
{
	struct keeper *k = ctx;

	loop_timer_free(k->tidy);
	k->tidy = NULL;
	(void)malloc_trim(0);
}

static void tidy_soon(struct keeper *k)
{
	if (k->tidy)
		return;
	k->tidy = loop_timer_new(k->loop, on_tidy, k);
	loop_timer_set(k->tidy, clock_mono_us() + TIDY_US);
}

static void on_bury(void *ctx)
{
	struct attempt *a = ctx;

	tidy_soon(a->k);
	keeper_tokens_free(a->tokens);
	LIST_FOR(l, &a->fetches)
	{
		struct fetch *f = LIST_ENTRY(l, struct fetch, link);

		vault_read_free(f->read);
		keeper_helper_forget(f->helped);
		mem_free(f);
	}
	if (a->k->vault)
		vault_attempt_ended(a->k->vault, &a->g.attempt);
	chan_free(a->chan);
	loop_timer_free(a->bury);
	list_del(&a->link);
	mem_free(a);
}

static void on_attempt_gone(void *ctx, const struct err *why)
{
	(void)why;
	loop_timer_set(((struct attempt *)ctx)->bury, clock_mono_us());
}

static const struct chan_ops attempt_ops = {on_attempt, on_attempt_gone};

int keeper_grant(struct keeper *k, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct attempt *a = mem_alloc(sizeof(*a));

	if (grant_decode(&r, &a->g) || !wire_end(&r) || msg->n_fds != 1) {
		mem_free(a);
		return -1;
	}
	a->k = k;
	a->ends_us =
		clock_real_us() + (int64_t)(a->g.timeout_us + a->g.grace_us);
	list_init(&a->fetches);
	list_push(&k->attempts, &a->link);
	a->bury = loop_timer_new(k->loop, on_bury, a);
	a->chan = chan_new(k->loop, chan_msg_take(msg, 0), &attempt_ops, a);
	if (!a->chan)
		on_bury(a);
	return 0;
}

void keeper_attempts_end(struct keeper *k)
{
	LIST_FOR(l, &k->attempts)
	on_bury(LIST_ENTRY(l, struct attempt, link));
	loop_timer_free(k->tidy);
	k->tidy = NULL;
}
