/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The keeper's keys over time, and the tokens of attempts: src/oidc, which
 * takes other people's, takes them. */
#include "base/hex.h"
#include "identity/token.h"
#include "oidc/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOUR  INT64_C(3600000000)
#define DAY   (24 * HOUR)
#define START (INT64_C(1790000000) * 1000000)

static const struct ring_rules rules = {30 * DAY, HOUR};

static struct grant a_grant(void)
{
	struct grant g = {
		.attempt = {"01ARZ3NDEKTSV4RRFFQ69G5FAV"},
		.project = "web",
		.who = { .job = "release",
			    .task = "publish",
			    .run = {"01BX5ZZKBKACTAV9WEVGEMMVRZ"},
			    .definition_from = GRANT_STORED,
			    .submitter = "oidc:corp:\"ann\"",
			    .trigger = "api",
			    .source = GRANT_SOURCE_GIT,
			    .url = "https://git.example/web.git",
			    .ref = "main",
			    .commit = "0123"}
        };

	memset(g.who.definition.b, 0xab, HASH_LEN);
	return g;
}

static struct token_facts facts(const struct grant *g)
{
	return (struct token_facts){
		.g = g,
		.issuer = STR("https://ci.example/nfo"),
		.audience = STR("https://vault.example:8200"),
		.node = STR("build-1"),
		.id = {"01BX5ZZKBKACTAV9WEVGEMMVS0"},
		.issued_s = START / 1000000,
		.expires_s = START / 1000000 + 300,
	};
}

static struct ring *a_ring(enum ring_kind kind, struct secret **mem)
{
	struct ring *r;
	bool changed;
	struct err e;

	assert_false(ring_new(kind, mem, &r, &e));
	assert_null(ring_current(r));
	assert_false(ring_turn(r, &rules, START, &changed, &e));
	assert_true(changed);
	return r;
}

/* --- keys ---------------------------------------------------------------- */

/* RFC 7748, 6.1: Bob's private key, Alice's public one, what both know. */
static const char bob[] = "5dab087e624a8a4b79e17f8b83800ee6"
			  "6f3bb1292618b6fd1c2f8b27ff88e0eb";
static const char alice[] = "8520f0098930a754748b7ddcb43ef75a"
			    "0dbf3a0d26381af4eba4a98eaa9b4e6a";
static const char both[] = "4a5d9d5ba4ce2de1728e3bf480350f25"
			   "e07e21c947d19e3376f09b3c1e161742";

static void x25519_is_that_of_the_rfc(void **state)
{
	unsigned char a[32], b[32], k[32], want[32];
	unsigned char zero[32] = {0};
	struct err e;

	(void)state;
	assert_false(hex_decode(str_from(bob), a, 32));
	assert_false(hex_decode(str_from(alice), b, 32));
	assert_false(hex_decode(str_from(both), want, 32));
	assert_false(x25519_shared(a, b, k, &e));
	assert_memory_equal(k, want, 32);
	assert_int_equal(x25519_shared(a, zero, k, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
}

static void keys_take_turns(void **state)
{
	CLEANUP_SECRET struct secret *mem = NULL;
	struct ring *r = a_ring(RING_ES256, &mem);
	char first[RING_KID_LEN + 1], next[RING_KID_LEN + 1];
	bool changed;
	struct err e;

	(void)state;
	assert_int_equal(r->n, 2);
	strcpy(first, ring_current(r)->kid);
	strcpy(next, r->keys[1].kid);
	assert_int_equal(ring_due_us(r, &rules), START + 30 * DAY);
	assert_false(ring_turn(r, &rules, START + 30 * DAY - 1, &changed, &e));
	assert_false(changed);
	/* a clock that goes back changes nothing */
	assert_false(ring_turn(r, &rules, START - DAY, &changed, &e));
	assert_false(changed);

	assert_false(ring_turn(r, &rules, START + 30 * DAY, &changed, &e));
	assert_true(changed);
	assert_string_equal(ring_current(r)->kid, next);
	assert_non_null(ring_find(r, str_from(first)));
	assert_int_equal(r->n, 3);
	/* the old one goes when nothing it signed counts any more */
	assert_int_equal(ring_due_us(r, &rules), START + 30 * DAY + HOUR + 1);
	assert_false(ring_turn(r, &rules, START + 30 * DAY + HOUR + 1, &changed,
			       &e));
	assert_true(changed);
	assert_null(ring_find(r, str_from(first)));
	assert_string_equal(ring_current(r)->kid, next);
	assert_int_equal(ring_due_us(r, &rules), START + 60 * DAY);

	/* however long it was off, it is one at a time */
	assert_false(ring_turn(r, &rules, START + 900 * DAY, &changed, &e));
	assert_string_not_equal(ring_current(r)->kid, next);
	assert_int_equal(ring_current(r)->since_us, START + 900 * DAY);
}

static void keys_come_back_as_they_were(void **state)
{
	for (int kind = 0; kind < N_RING_KINDS; kind++) {
		CLEANUP_SECRET struct secret *mem = NULL, *again = NULL,
					     *text = NULL, *cut = NULL;
		struct ring *r = a_ring((enum ring_kind)kind, &mem), *other;
		struct secret_view v;
		bool changed;
		struct err e;

		(void)state;
		assert_false(
			ring_turn(r, &rules, START + 30 * DAY, &changed, &e));
		assert_false(ring_encode(r, &text, &e));
		assert_false(
			ring_new((enum ring_kind)kind, &again, &other, &e));
		assert_false(ring_decode(other, text, &e));
		assert_memory_equal(r, other, sizeof(*r));
		/* cut at any place it is none */
		v = secret_bytes(text);
		for (size_t n = 0; n < v.n_bytes; n++) {
			assert_false(secret_new(v.bytes, n, 0, &cut, &e));
			assert_int_equal(ring_decode(other, cut, &e), -1);
			assert_int_equal(other->n, 0);
			secret_free(cut);
		}
		/* nor of the other kind */
		secret_room(text)[1] ^= 1;
		assert_int_equal(ring_decode(other, text, &e), -1);
		cut = NULL;
	}
}

/* RFC 7638: over the members alone, in the order of their names. */
static void kid_is_the_thumbprint(void **state)
{
	CLEANUP_SECRET struct secret *mem = NULL;
	struct ring *r = a_ring(RING_ES256, &mem);
	CLEANUP_BUF struct buf text = BUF_INIT(512), kid = BUF_INIT(64),
			       all = BUF_INIT(4096);
	const struct ring_key *k = ring_current(r);
	struct hash h;

	(void)state;
	buf_puts(&text, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
	b64url_encode(&text, k->public_key, 32);
	buf_puts(&text, "\",\"y\":\"");
	b64url_encode(&text, k->public_key + 32, 32);
	buf_puts(&text, "\"}");
	h = hash_sha256(text.data, text.len);
	b64url_encode(&kid, h.b, HASH_LEN);
	assert_string_equal(buf_cstr(&kid), k->kid);
	assert_true(ring_jwks(r, &all));
	assert_non_null(strstr(buf_cstr(&all), k->kid));
	/* only what is public */
	assert_null(strstr(buf_cstr(&all), "\"d\""));
}

/* --- tokens -------------------------------------------------------------- */

struct checked {
	struct jwks *keys;
	struct jwt t;
};

static int check(const struct ring *r, struct str token, struct str audience,
		 int64_t now_s, struct checked *c, struct err *e)
{
	struct jwt_rules rules_of = {.issuer = STR("https://ci.example/nfo"),
				     .audiences = &audience,
				     .n_audiences = 1,
				     .algs = 1U << JWT_ES256};
	CLEANUP_BUF struct buf b = BUF_INIT(4096);

	assert_true(ring_jwks(r, &b));
	assert_false(jwks_parse(buf_view(&b), &c->keys, e));
	assert_int_equal(jwks_len(c->keys), r->n);
	assert_false(jwt_read(token, &c->t, e));
	return jwt_check(&c->t, &rules_of, c->keys, now_s, e);
}

static void check_done(struct checked *c)
{
	jwt_done(&c->t);
	jwks_free(c->keys);
}

static void says(const struct jwt *t, const char *key, const char *want)
{
	struct str s;

	assert_false(doc_as_string(doc_get(t->claims, key), &s));
	if (!str_is(s, want))
		fail_msg("%s: " STR_FMT ", not %s", key, STR_ARG(s), want);
}

static void a_verifier_takes_it(void **state)
{
	CLEANUP_SECRET struct secret *mem = NULL, *token = NULL;
	struct ring *r = a_ring(RING_ES256, &mem);
	CLEANUP_BUF struct buf claims = BUF_INIT(TOKEN_MAX);
	struct grant g = a_grant();
	struct token_facts f = facts(&g);
	struct secret_view v;
	unsigned char was;
	struct checked c;
	struct str text;
	bool changed;
	struct err e;

	(void)state;
	assert_false(token_claims(&f, &claims, &e));
	assert_false(
		token_sign(ring_current(r), buf_view(&claims), &token, &e));
	v = secret_bytes(token);
	text = str_n((const char *)v.bytes, v.n_bytes);
	assert_false(check(r, text, f.audience, f.issued_s, &c, &e));
	says(&c.t, "sub", "nfo:project:web:job:release:task:publish");
	says(&c.t, "nfo_project", "web");
	says(&c.t, "nfo_run_id", "run_01BX5ZZKBKACTAV9WEVGEMMVRZ");
	says(&c.t, "nfo_definition_sha256",
	     "abababababababababababababababababababababababababababababababab");
	says(&c.t, "nfo_definition_from", "stored");
	says(&c.t, "nfo_submitter", "oidc:corp:\"ann\"");
	says(&c.t, "nfo_source", "git");
	says(&c.t, "nfo_source_commit", "0123");
	says(&c.t, "nfo_node", "build-1");
	check_done(&c);
	/* and no other: too late, for another, changed, another's key */
	assert_int_equal(check(r, text, f.audience, f.expires_s, &c, &e), -1);
	check_done(&c);
	assert_int_equal(check(r, text, STR("x"), f.issued_s, &c, &e), -1);
	check_done(&c);
	was = secret_room(token)[v.n_bytes - 3];
	secret_room(token)[v.n_bytes - 3] = was == 'A' ? 'B' : 'A';
	assert_int_equal(check(r, text, f.audience, f.issued_s, &c, &e), -1);
	check_done(&c);
	secret_room(token)[v.n_bytes - 3] = was;
	assert_false(ring_turn(r, &rules, START + 30 * DAY, &changed, &e));
	assert_false(check(r, text, f.audience, f.issued_s, &c, &e));
	check_done(&c);
	assert_false(ring_turn(r, &rules, START + 31 * DAY, &changed, &e));
	assert_int_equal(check(r, text, f.audience, f.issued_s, &c, &e), -1);
	check_done(&c);
}

/* Whoever sends a definition along does not get the stored job's subject. */
static void what_was_sent_is_another(void **state)
{
	CLEANUP_BUF struct buf claims = BUF_INIT(TOKEN_MAX);
	struct grant g = a_grant();
	struct token_facts f = facts(&g);
	struct err e;

	(void)state;
	g.who.definition_from = GRANT_SENT;
	g.who.source = GRANT_SOURCE_NONE;
	assert_false(token_claims(&f, &claims, &e));
	assert_non_null(
		strstr(buf_cstr(&claims),
		       "\"nfo:project:web:sent:release:task:publish\""));
	assert_null(strstr(buf_cstr(&claims), "nfo_source_commit"));
}

static void an_audience_is_one_word(void **state)
{
	static const char *const bad[] = {"",     "a b", "a\"b",    "a\\b",
					  "a\nb", "'",   "\xc3\xa9"};
	char room[GRANT_AUDIENCE_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP_BUF struct buf claims = BUF_INIT(TOKEN_MAX);
		struct grant g = a_grant();
		struct token_facts f = facts(&g);
		struct err e;

		f.audience = str_from(bad[i]);
		assert_int_equal(token_claims(&f, &claims, &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
	}
	memset(room, 'a', sizeof(room));
	assert_true(grant_audience_ok(str_n(room, GRANT_AUDIENCE_MAX)));
	assert_false(grant_audience_ok(str_n(room, GRANT_AUDIENCE_MAX + 1)));
}

/* All that can be in a grant, at its longest, is still a token. */
static void the_longest_fits(void **state)
{
	CLEANUP_SECRET struct secret *mem = NULL, *token = NULL;
	struct ring *r = a_ring(RING_ES256, &mem);
	CLEANUP_BUF struct buf claims = BUF_INIT(TOKEN_MAX);
	struct grant g = a_grant();
	struct token_facts f = facts(&g);
	char audience[GRANT_AUDIENCE_MAX];
	struct err e;

	(void)state;
	memset(audience, 'a', sizeof(audience));
	f.audience = str_n(audience, sizeof(audience));
	memset(g.project, 'p', GRANT_NAME_MAX);
	memset(g.who.job, 'j', GRANT_NAME_MAX);
	memset(g.who.task, 't', GRANT_NAME_MAX);
	memset(g.who.submitter, 's', GRANT_SUBMITTER_MAX);
	memset(g.who.url, 'u', GRANT_URL_MAX);
	memset(g.who.ref, 'r', GRANT_GITREF_MAX);
	memset(g.who.commit, 'c', GRANT_COMMIT_MAX);
	assert_false(token_claims(&f, &claims, &e));
	assert_false(
		token_sign(ring_current(r), buf_view(&claims), &token, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(x25519_is_that_of_the_rfc),
		cmocka_unit_test(keys_take_turns),
		cmocka_unit_test(keys_come_back_as_they_were),
		cmocka_unit_test(kid_is_the_thumbprint),
		cmocka_unit_test(a_verifier_takes_it),
		cmocka_unit_test(what_was_sent_is_another),
		cmocka_unit_test(an_audience_is_one_word),
		cmocka_unit_test(the_longest_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
