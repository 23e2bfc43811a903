/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Tokens of attempts; see token.h. */
#include "identity/token.h"
#include "base/hex.h"
#include "base/mem.h"

#include <inttypes.h>

static void text(struct buf *b, const char *key, struct str value)
{
	buf_printf(b, ",\"%s\":\"", key);
	buf_json(b, value);
	buf_putc(b, '"');
}

static void digest(struct buf *b, const char *key, const struct hash *h)
{
	char hex[HASH_HEX_LEN + 1];

	hash_hex(h, hex);
	text(b, key, str_from(hex));
}

/* A definition that somebody sent along has another subject than the stored
 * job of that name, whoever's rights it would run with. */
static void subject(struct buf *b, const struct grant *g)
{
	buf_printf(b, ",\"sub\":\"nfo:project:%s:%s:%s:task:%s\"", g->project,
		   g->who.definition_from == GRANT_STORED ? "job" : "sent",
		   g->who.job, g->who.task);
}

static void put_source(struct buf *b, const struct grant_who *w)
{
	static const char *const kinds[] = {
		[GRANT_SOURCE_NONE] = "none",
		[GRANT_SOURCE_UPLOAD] = "upload",
		[GRANT_SOURCE_GIT] = "git",
	};

	text(b, "nfo_source", str_from(kinds[w->source]));
	if (w->source == GRANT_SOURCE_UPLOAD)
		digest(b, "nfo_source_sha256", &w->source_digest);
	if (w->source != GRANT_SOURCE_GIT)
		return;
	text(b, "nfo_source_repository", str_from(w->url));
	text(b, "nfo_source_ref", str_from(w->ref));
	text(b, "nfo_source_commit", str_from(w->commit));
}

int token_claims(const struct token_facts *f, struct buf *b, struct err *e)
{
	const struct grant_who *w = &f->g->who;

	if (!grant_audience_ok(f->audience))
		return err_set(e, ERR_INVALID, "no audience for a token");
	buf_puts(b, "{\"iss\":\"");
	buf_json(b, f->issuer);
	buf_putc(b, '"');
	subject(b, f->g);
	text(b, "aud", f->audience);
	buf_printf(b,
		   ",\"iat\":%" PRId64 ",\"nbf\":%" PRId64 ",\"exp\":%" PRId64,
		   f->issued_s, f->issued_s, f->expires_s);
	text(b, "jti", str_from(f->id.s));
	text(b, "nfo_project", str_from(f->g->project));
	text(b, "nfo_job", str_from(w->job));
	text(b, "nfo_task", str_from(w->task));
	buf_printf(b, ",\"nfo_run_id\":\"run_%s\"", w->run.s);
	text(b, "nfo_attempt", str_from(f->g->attempt.s));
	digest(b, "nfo_definition_sha256", &w->definition);
	text(b, "nfo_definition_from",
	     w->definition_from == GRANT_STORED ? STR("stored") : STR("sent"));
	digest(b, "nfo_run_sha256", &f->g->run_digest);
	digest(b, "nfo_policy_sha256", &f->g->policy_digest);
	text(b, "nfo_submitter", str_from(w->submitter));
	text(b, "nfo_trigger", str_from(w->trigger));
	put_source(b, w);
	text(b, "nfo_backend", STR("sandbox"));
	text(b, "nfo_node", f->node);
	buf_putc(b, '}');
	return b->failed ?
		       err_set(e, ERR_LIMIT, "a token over %zu bytes", b->max) :
		       0;
}

int token_sign(const struct ring_key *k, struct str claims, struct secret **ret,
	       struct err *e)
{
	CLEANUP_BUF struct buf header = BUF_INIT(256);
	struct buf b = BUF_INIT(TOKEN_MAX);
	unsigned char sig[ES256_SIG_LEN];
	int bad;

	(void)buf_room(&b, TOKEN_MAX); /* so that it is never copied */
	buf_printf(&header,
		   "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
		   k->kid);
	b64url_encode(&b, header.data, header.len);
	buf_putc(&b, '.');
	b64url_encode(&b, claims.p, claims.len);
	bad = es256_sign(k->private_key, k->public_key, buf_view(&b), sig, e);
	buf_putc(&b, '.');
	b64url_encode(&b, sig, sizeof(sig));
	if (!bad && b.failed)
		bad = err_set(e, ERR_LIMIT, "a token over %d bytes", TOKEN_MAX);
	bad = bad || secret_new(b.data, b.len, 0, ret, e);
	buf_wipe(&b);
	return bad ? -1 : 0;
}
