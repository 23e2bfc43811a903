/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Any bytes as a grant, the rest as audience, issuer and node: what is taken
 * makes a token whose claims are JSON, each of the strings as it went in, and
 * which src/oidc takes.
 */
#include "base/mem.h"
#include "identity/token.h"
#include "oidc/jwt.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void is(const struct jwt *t, const char *key, struct str want)
{
	struct str s;

	if (doc_as_string(doc_get(t->claims, key), &s) || !str_eq(s, want))
		abort();
}

static void check(const struct token_facts *f, const struct ring *r,
		  struct str token)
{
	struct jwt_rules rules = {.issuer = f->issuer,
				  .audiences = &f->audience,
				  .n_audiences = 1,
				  .algs = 1U << JWT_ES256};
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	struct jwks *keys;
	struct err e;
	struct jwt t;

	if (!ring_jwks(r, &b) || jwks_parse(buf_view(&b), &keys, &e) ||
	    jwt_read(token, &t, &e) ||
	    jwt_check(&t, &rules, keys, f->issued_s, &e))
		abort();
	is(&t, "aud", f->audience);
	is(&t, "nfo_project", str_from(f->g->project));
	is(&t, "nfo_job", str_from(f->g->who.job));
	is(&t, "nfo_submitter", str_from(f->g->who.submitter));
	is(&t, "nfo_node", f->node);
	jwt_done(&t);
	jwks_free(keys);
}

static const struct ring *a_ring(void)
{
	static const struct ring_rules rules = {INT64_MAX, INT64_MAX};
	static struct secret *mem;
	static struct ring *r;
	bool changed;
	struct err e;

	if (!r && (ring_new(RING_ES256, &mem, &r, &e) ||
		   ring_turn(r, &rules, 1, &changed, &e)))
		abort();
	return r;
}

/* Where the bytes are no grant, its texts are what they are. */
static void fill(struct grant *g, const uint8_t *data, size_t len)
{
	memset(g, 0, sizeof(*g));
	memcpy(g->attempt.s, "01ARZ3NDEKTSV4RRFFQ69G5FAV", ULID_LEN);
	memcpy(g->who.run.s, "01ARZ3NDEKTSV4RRFFQ69G5FAV", ULID_LEN);
	strcpy(g->project, "p");
	strcpy(g->who.job, "j");
	strcpy(g->who.task, "t");
	strcpy(g->who.trigger, "api");
	for (size_t i = 0; i < len && i < GRANT_SUBMITTER_MAX; i++)
		g->who.submitter[i] = (char)(data[i] % 95 + ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct wire_reader in = wire_reader(data, len);
	CLEANUP_SECRET struct secret *token = NULL;
	CLEANUP_BUF struct buf claims = BUF_INIT(TOKEN_MAX);
	const struct ring *r = a_ring();
	struct token_facts f = {.issuer = STR("https://ci.example"),
				.node = STR("node"),
				.id = {"01ARZ3NDEKTSV4RRFFQ69G5FAV"},
				.issued_s = 1790000000,
				.expires_s = 1790000300};
	struct secret_view v;
	struct grant g;
	struct err e;

	if (grant_decode(&in, &g))
		fill(&g, data, len);
	f.g = &g;
	f.audience = str_n((const char *)data, len < 300 ? len : 300);
	if (token_claims(&f, &claims, &e)) {
		if (grant_audience_ok(f.audience))
			abort();
		return 0;
	}
	if (!grant_audience_ok(f.audience) ||
	    token_sign(ring_current(r), buf_view(&claims), &token, &e))
		abort();
	v = secret_bytes(token);
	check(&f, r, str_n((const char *)v.bytes, v.n_bytes));
	return 0;
}
