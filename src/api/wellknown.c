/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* /.well-known: see wellknown.h. */
#include "api/wellknown.h"
#include "api/conventions.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "base/fd.h"
#include "base/log.h"

#define FILE_NAME "public-keys"

enum {
	FILE_MAX = ISSUER_MAX + PUBLIC_KEYS_MAX + 2,
	/* The next key is published all the time, so that it is known long
	 * before it is used. */
	AGE_MAX_S = 300
};

static void set(struct wellknown *w, struct str issuer, struct str jwks)
{
	wellknown_done(w);
	w->issuer = BUF_INIT(ISSUER_MAX);
	w->jwks = BUF_INIT(PUBLIC_KEYS_MAX);
	buf_str(&w->issuer, issuer);
	buf_str(&w->jwks, jwks);
}

void wellknown_done(struct wellknown *w)
{
	buf_done(&w->issuer);
	buf_done(&w->jwks);
}

/* Two lines: the issuer, the set. */
void wellknown_load(struct api *a)
{
	CLEANUP_BUF struct buf b = BUF_INIT(FILE_MAX);
	struct str rest, issuer, jwks;
	struct err e;

	if (fd_read_file(a->state_fd, FILE_NAME, &b, &e)) {
		if (e.code != ERR_NOT_FOUND)
			log_warn("%s: %s", FILE_NAME, e.text);
		return;
	}
	rest = buf_view(&b);
	issuer = str_cut(&rest, '\n');
	jwks = str_cut(&rest, '\n');
	if (issuer.len && jwks.len && rest.p && !rest.len)
		set(&a->wellknown, issuer, jwks);
}

void wellknown_took(void *ctx, const struct public_keys *k)
{
	CLEANUP_BUF struct buf b = BUF_INIT(FILE_MAX);
	struct api *a = ctx;
	struct err e;

	if (str_eq(k->issuer, buf_view(&a->wellknown.issuer)) &&
	    str_eq(k->jwks, buf_view(&a->wellknown.jwks)))
		return;
	set(&a->wellknown, k->issuer, k->jwks);
	buf_printf(&b, STR_FMT "\n" STR_FMT "\n", STR_ARG(k->issuer),
		   STR_ARG(k->jwks));
	if (fd_write_file(a->state_fd, FILE_NAME, buf_view(&b), 0600, &e))
		log_warn("%s: %s", FILE_NAME, e.text);
}

static int unknown(struct request *r)
{
	return reply_problem(r, 503, "unavailable",
			     "the keeper has not said which keys it has");
}

static int view(struct request *r, struct buf *b)
{
	reply_view(r, b);
	reply_cached(r, AGE_MAX_S);
	return 0;
}

/* OpenID Connect Discovery 1.0, section 3: as much of it as there is. */
int h_openid_configuration(struct request *r)
{
	struct str issuer = buf_view(&r->api->wellknown.issuer);
	struct buf b = BUF_INIT(4096);

	if (!issuer.len)
		return unknown(r);
	buf_puts(&b, "{\"issuer\":\"");
	buf_json(&b, issuer);
	buf_puts(&b, "\",\"jwks_uri\":\"");
	buf_json(&b, issuer);
	buf_puts(&b, "/.well-known/jwks.json\","
		     "\"response_types_supported\":[\"id_token\"],"
		     "\"subject_types_supported\":[\"public\"],"
		     "\"id_token_signing_alg_values_supported\":[\"ES256\"],"
		     "\"scopes_supported\":[\"openid\"],"
		     "\"claims_supported\":[\"iss\",\"sub\",\"aud\",\"iat\","
		     "\"nbf\",\"exp\",\"jti\",\"nfo_project\",\"nfo_job\","
		     "\"nfo_task\",\"nfo_run_id\",\"nfo_attempt\","
		     "\"nfo_definition_sha256\",\"nfo_definition_from\","
		     "\"nfo_run_sha256\",\"nfo_policy_sha256\","
		     "\"nfo_submitter\",\"nfo_trigger\",\"nfo_source\","
		     "\"nfo_source_sha256\",\"nfo_source_repository\","
		     "\"nfo_source_ref\",\"nfo_source_commit\","
		     "\"nfo_backend\",\"nfo_node\"]}\n");
	return view(r, &b);
}

int h_jwks(struct request *r)
{
	struct buf b = BUF_INIT(PUBLIC_KEYS_MAX + 2);

	if (!r->api->wellknown.jwks.len)
		return unknown(r);
	buf_str(&b, buf_view(&r->api->wellknown.jwks));
	buf_putc(&b, '\n');
	return view(r, &b);
}
