/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* All providers, and who reads from which; see vault.h. */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "vault/lease.h"
#include "vault/token.h"

#include <stdio.h>
#include <string.h>

/* Between two looks at a stored value that is to be followed. */
#define LOOK_US (INT64_C(20) * 1000000)

struct vault_read {
	struct vault *v;
	struct place *p;     /* NULL: there is none of the name */
	struct kv_what what; /* the version: of a KV */
	char field[SECRET_REF_FIELD_MAX + 1];
	const struct grant *who;
	vault_fn *fn;
	void *ctx;
	unsigned flags; /* VAULT_READ_* */
	struct kv_wait *kv;
	struct loan_wait *loan;
	struct hash last; /* of the fields that were told */
	bool told;
	struct loop_timer *timer; /* what is wrong from the start; a new look */
};

uint32_t vault_dice(void)
{
	uint32_t n;

	random_bytes(&n, sizeof(n));
	return n;
}

/* --- reads -------------------------------------------------------------- */

/* "(it has: a, b)": names are no secrets. */
static void name_fields(const struct field *f, size_t n, char out[160])
{
	CLEANUP_BUF struct buf b = BUF_INIT(159);

	for (size_t i = 0; i < n && !b.failed; i++) {
		buf_puts(&b, i ? ", " : " (it has: ");
		buf_str(&b, f[i].name);
	}
	buf_puts(&b, n ? ")" : "");
	(void)snprintf(out, 160, "%s", b.failed ? "" : buf_cstr(&b));
}

static int pick(const struct vault_read *r, const struct secret *packed,
		struct secret **ret, struct err *e)
{
	struct field fields[FIELDS_MAX];
	char names[160], clean[ANSWER_TEXT_MAX + 1];
	size_t n;

	if (fields_parse(secret_bytes(packed), fields, &n, e))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (str_is(fields[i].name, r->field))
			return secret_new(fields[i].value.bytes,
					  fields[i].value.n_bytes, 0, ret, e);
	name_fields(fields, n, names);
	answer_clean(str_from(names), NULL, clean);
	return err_set(e, ERR_NOT_FOUND, "%s: %s: no field \"%s\" %s",
		       r->p->p->name, r->what.path, r->field, clean);
}

static void no(struct vault_read *r, const struct err *why)
{
	r->fn(r->ctx, SECRET_VALUE, NULL, why);
}

static void give(struct vault_read *r, const struct secret *packed)
{
	CLEANUP_SECRET struct secret *value = NULL;
	struct err e;

	if (!r->field[0])
		r->fn(r->ctx, SECRET_FIELDS, packed, NULL);
	else if (pick(r, packed, &value, &e))
		no(r, &e);
	else
		r->fn(r->ctx, SECRET_VALUE, value, NULL);
}

/* What is made for the attempt: each is another one. */
static void on_loan(void *ctx, const struct secret *packed,
		    const struct err *why)
{
	struct vault_read *r = ctx;

	if (packed) {
		give(r, packed);
		return;
	}
	r->loan = NULL;
	no(r, why);
}

/* --- stored values that change ------------------------------------------- */

static struct hash hash_of(const struct secret *s)
{
	struct secret_view v = secret_bytes(s);

	return hash_sha256(v.bytes, v.n_bytes);
}

/* A new look, not all at once. */
static void look_later(struct vault_read *r)
{
	int64_t wait = LOOK_US - LOOK_US / 10 * (vault_dice() % 10) / 10;

	if (r->flags & VAULT_READ_REFRESH)
		loop_timer_set(r->timer, clock_mono_us() + wait);
}

static void on_fields(void *ctx, const struct secret *packed,
		      const struct err *why)
{
	struct vault_read *r = ctx;
	struct hash is;

	r->kv = NULL;
	if (!packed && !r->told) {
		no(r, why);
		return;
	}
	look_later(r); /* also when it is away now */
	if (!packed)
		return;
	is = hash_of(packed);
	if (r->told && hash_eq(&is, &r->last))
		return;
	r->last = is;
	r->told = true;
	give(r, packed);
}

static void on_look(void *ctx)
{
	struct vault_read *r = ctx;

	if (!r->kv)
		r->kv = kv_read(r->p, &r->what, r->who, on_fields, r);
}

static void on_wrong(void *ctx)
{
	struct vault_read *r = ctx;
	struct err e;

	err_set(&e, ERR_NOT_FOUND, "the settings have no provider \"%s\"",
		r->what.path);
	r->fn(r->ctx, SECRET_VALUE, NULL, &e);
}

struct vault_read *vault_read(struct vault *v, const struct secret_ref *ref,
			      const struct grant *who, unsigned flags,
			      vault_fn *fn, void *ctx)
{
	struct vault_read *r = mem_alloc(sizeof(*r));

	*r = (struct vault_read){.v = v,
				 .p = vault_place(v, ref->provider),
				 .what = {.version = ref->version},
				 .who = who,
				 .flags = flags,
				 .fn = fn,
				 .ctx = ctx};
	memcpy(r->field, ref->field, sizeof(r->field));
	(void)snprintf(r->what.path, sizeof(r->what.path), "%s",
		       r->p ? ref->path : ref->provider);
	r->timer = loop_timer_new(v->loop, r->p ? on_look : on_wrong, r);
	if (!r->p)
		loop_timer_set(r->timer, clock_mono_us());
	else if (ref->read == SECRET_READ_KV)
		r->kv = kv_read(r->p, &r->what, who, on_fields, r);
	else
		r->loan = loan_read(r->p, ref, who, flags, on_loan, r);
	return r;
}

void vault_read_free(struct vault_read *r)
{
	if (!r)
		return;
	kv_cancel(r->kv);
	loan_cancel(r->loan);
	loop_timer_free(r->timer);
	mem_free(r);
}

/* --- providers ---------------------------------------------------------- */

struct place *vault_place(struct vault *v, const char *provider)
{
	const struct provider *p = providers_find(&v->providers, provider);

	return p ? &v->places[p - v->providers.items] : NULL;
}

int vault_begin(struct err *e)
{
	answer_begin();
	return http_begin(e);
}

size_t vault_ports(struct str list, uint16_t *ret, size_t max)
{
	struct providers ps;
	struct err e;
	size_t n = 0;

	if (providers_read(list, &ps, &e))
		return 0;
	for (size_t i = 0; i < ps.n; i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(PROVIDER_TEXT_MAX);

		if (n < max)
			ret[n++] = ps.items[i].port;
		for (size_t k = 0; k < ps.items[i].n_redirects; k++)
			if (n < max &&
			    !http_origin(str_from(ps.items[i].redirects[k]), &b,
					 &ret[n]))
				n++;
	}
	providers_done(&ps);
	return n;
}

/* --- what leases need ----------------------------------------------------- */

static struct place *place_of(void *ctx, const char *provider)
{
	return vault_place(ctx, provider);
}

static void doom(void *ctx, struct place *p, const struct secret *token)
{
	(void)ctx;
	token_doom(p, token);
}

static void changed(void *ctx)
{
	struct vault *v = ctx;

	v->host->leases(v->ctx, leases_count(v->leases));
}

static const struct leases_host leases_host = {place_of, doom, changed};

struct leases *vault_leases(struct vault *v)
{
	return v->leases;
}

int vault_new(struct loop *l, struct str list, const struct vault_host *host,
	      void *ctx, struct vault **ret, struct err *e)
{
	struct vault *v = mem_alloc(sizeof(*v));

	*v = (struct vault){.loop = l, .host = host, .ctx = ctx};
	list_init(&v->asks);
	if (providers_read(list, &v->providers, e) ||
	    http_new(l, &v->http, e)) {
		mem_free(v);
		return -1;
	}
	v->leases = leases_new(l, &leases_host, v);
	v->places = mem_array(v->providers.n, sizeof(*v->places));
	for (size_t i = 0; i < v->providers.n; i++) {
		struct place *p = &v->places[i];

		p->v = v;
		p->p = &v->providers.items[i];
		p->number = (uint16_t)i;
		list_init(&p->gets);
		list_init(&p->loans);
		place_begin(p);
		token_begin(p);
	}
	*ret = v;
	return 0;
}

/* Who reads is freed before by its owner. */
void vault_free(struct vault *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->providers.n; i++) {
		kv_end(&v->places[i]);
		loans_end(&v->places[i]);
		token_end(&v->places[i]);
	}
	leases_free(v->leases);
	for (size_t i = 0; i < v->providers.n; i++)
		place_end(&v->places[i]);
	http_free(v->http);
	providers_done(&v->providers);
	mem_free(v->places);
	mem_free(v);
}

void vault_tell(struct vault *v)
{
	for (size_t i = 0; i < v->providers.n; i++)
		v->host->state(v->ctx, v->places[i].p->name,
			       v->places[i].breaker.state, v->places[i].why);
}

/* --- attempts ----------------------------------------------------------- */

void vault_attempt_ended(struct vault *v, const struct ulid *attempt)
{
	for (size_t i = 0; i < v->providers.n; i++) {
		kv_attempt_ended(&v->places[i], attempt);
		token_attempt_ended(&v->places[i], attempt);
	}
	leases_attempt_ended(v->leases, attempt);
}

void vault_attempt_alive(struct vault *v, const struct ulid *attempt)
{
	leases_attempt_alive(v->leases, attempt);
}

void vault_alive_end(struct vault *v)
{
	leases_alive_end(v->leases);
}
