/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The end of all providers, and what is told of them; see vault.h. */
#include "vault/internal.h"
#include "vault/lease.h"
#include "vault/token.h"

/* --- the end ------------------------------------------------------------- */

static void on_idle(void *ctx)
{
	struct vault *v = ctx;

	if (!--v->n_busy)
		v->idle(v->idle_ctx);
}

void vault_stop(struct vault *v, void (*idle)(void *ctx), void *ctx)
{
	v->idle = idle;
	v->idle_ctx = ctx;
	v->n_busy = v->providers.n + 2;
	/* They may get logins from the tokens, and see to these too. */
	leases_stop(v->leases, on_idle, v);
	for (size_t i = 0; i < v->providers.n; i++)
		tokens_stop(&v->places[i], on_idle, v);
	on_idle(v);
}

/* --- what is told -------------------------------------------------------- */

static void member(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, ",\"%s\":\"", key);
	buf_json(b, str_from(value));
	buf_putc(b, '"');
}

static void describe(const struct place *p, struct buf *b)
{
	buf_puts(b, "{\"kind\":\"vault\"");
	member(b, "name", p->p->name);
	member(b, "state", provider_state_name(p->breaker.state));
	if (p->breaker.state == PROVIDER_UP)
		buf_puts(b, ",\"text\":null");
	else
		member(b, "text", p->why);
	member(b, "address", p->p->address);
	if (*p->p->vault_namespace)
		member(b, "namespace", p->p->vault_namespace);
	member(b, "auth", provider_auth_name(p->p->auth));
	member(b, "auth_mount", p->p->auth_mount);
	member(b, "login", tokens_state(p));
	buf_putc(b, '}');
}

void vault_describe(const struct vault *v, struct buf *ret)
{
	buf_putc(ret, '[');
	for (size_t i = 0; i < v->providers.n; i++) {
		buf_puts(ret, i ? "," : "");
		describe(&v->places[i], ret);
	}
	buf_putc(ret, ']');
}

int vault_describe_one(const struct vault *v, const char *name, struct buf *ret)
{
	const struct provider *p = providers_find(&v->providers, name);

	if (!p)
		return -1;
	describe(&v->places[p - v->providers.items], ret);
	return 0;
}
