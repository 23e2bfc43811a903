/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Who is known; see identity.h. */
#include "api/identity.h"
#include "api/follow.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/who.h"

#include <stdio.h>
#include <string.h>

enum {
	WRITE_EVERY_US = 60 * 1000000,
	ARM_MOST_US = 600 * 1000000
};

static int each(void *from, struct str kind, store_resource_fn *fn, void *ctx,
		struct err *e)
{
	return store_read_resources(from, kind, 0, 0, fn, ctx, e);
}

static int load(struct api *a, struct access *set, struct err *e)
{
	if (who_load(set, each, a->reader, e))
		return -1;
	return store_read_tokens(a->reader, STR(""), 0, 0, who_token, set, e);
}

/* Uses that are not written down yet outlive the snapshot. */
static void keep_uses(const struct access *from, struct access *to)
{
	struct access_token *t, *mine;

	for (size_t i = 0; from && (t = access_token_at(from, i)); i++) {
		mine = t->used ? access_token_id(to, t->id) : NULL;
		if (!mine)
			continue;
		mine->used = true;
		mine->used_us = t->used_us;
	}
}

static int64_t next_end(const struct identity *i, int64_t now)
{
	int64_t next = logins_next_end(i->logins, now);
	const struct access_token *t;

	for (size_t k = 0; (t = access_token_at(i->set, k)); k++)
		if (t->expires_us > now && (!next || t->expires_us < next))
			next = t->expires_us;
	return next;
}

void identity_arm(struct api *a)
{
	int64_t now = clock_real_us(), next = next_end(&a->identity, now);
	int64_t us = next - now;

	/* not for long: the clock may be set */
	if (us > ARM_MOST_US)
		us = ARM_MOST_US;
	loop_timer_set(a->ends, next ? clock_mono_us() + us : -1);
}

static void take(struct api *a, struct access *set)
{
	keep_uses(a->identity.set, set);
	access_free(a->identity.set);
	a->identity.set = set;
	a->identity.generation++;
	identity_arm(a);
}

int identity_load(struct api *a, struct err *e)
{
	struct access *set = access_new();

	if (!a->identity.logins)
		a->identity.logins = logins_new();
	access_use(set, a->identity.logins);
	access_add_owners(set, a->auth.owner_uid);
	if (load(a, set, e)) {
		access_free(set);
		return -1;
	}
	take(a, set);
	return 0;
}

void identity_reload(struct api *a)
{
	struct access *none;
	struct err e;

	if (identity_load(a, &e)) {
		log_error("users and tokens cannot be read: %s", e.text);
		none = access_new();
		logins_drop(a->identity.logins, STR(""));
		access_add_owners(none, a->auth.owner_uid);
		take(a, none);
	}
	follow_wake(a); /* streams look whether they still may */
}

void identity_drop(struct api *a, struct str provider)
{
	logins_drop(a->identity.logins, provider);
	a->identity.generation++;
	follow_wake(a);
}

void identity_free(struct identity *i)
{
	access_free(i->set);
	i->set = NULL;
	logins_free(i->logins);
	i->logins = NULL;
}

/* --- last uses ---------------------------------------------------------- */

struct uses {
	size_t n;
	struct {
		char id[ULID_LEN + 1];
		int64_t us;
	} items[];
};

static int write_uses(void *ctx, struct store *s, struct err *refusal,
		      struct err *e)
{
	const struct uses *u = ctx;

	(void)refusal;
	for (size_t i = 0; i < u->n; i++)
		if (store_token_used(s, str_from(u->items[i].id),
				     u->items[i].us, e))
			return -1;
	return 0;
}

static void on_written(void *ctx, const struct engine_reply *r)
{
	(void)r; /* the next use is written again */
	mem_free(ctx);
}

void identity_beat(struct api *a)
{
	int64_t now = clock_mono_us();
	struct access_token *t;
	struct uses *u;
	size_t n = 0;
	struct err e;

	if (now - a->identity.written_us < WRITE_EVERY_US)
		return;
	for (size_t i = 0; (t = access_token_at(a->identity.set, i)); i++)
		n += t->used;
	if (!n)
		return;
	u = mem_alloc(sizeof(*u) + n * sizeof(u->items[0]));
	for (size_t i = 0; (t = access_token_at(a->identity.set, i)); i++) {
		if (!t->used)
			continue;
		t->used = false;
		(void)snprintf(u->items[u->n].id, sizeof(u->items[0].id),
			       STR_FMT, STR_ARG(t->id));
		u->items[u->n++].us = t->used_us;
	}
	a->identity.written_us = now;
	if (engine_edit(a->engine, STR(""), STR(""), STR(""), write_uses,
			on_written, u, &e))
		mem_free(u);
}
