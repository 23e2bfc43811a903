/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* /.well-known: see wellknown.h. */
#include "api/wellknown.h"
#include "api/conventions.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>

#define FILE_NAME "public-keys"

enum {
	FILE_MAX = ISSUER_MAX + PUBLIC_KEYS_MAX + 2,
	/* The next key is published all the time, so that it is known long
	 * before it is used. */
	AGE_MAX_S = 300
};

static void set(struct wellknown *w, struct str issuer, struct str jwks)
{
	buf_done(&w->issuer);
	buf_done(&w->jwks);
	w->issuer = BUF_INIT(ISSUER_MAX);
	w->jwks = BUF_INIT(PUBLIC_KEYS_MAX);
	buf_str(&w->issuer, issuer);
	buf_str(&w->jwks, jwks);
}

void wellknown_done(struct wellknown *w)
{
	buf_done(&w->issuer);
	buf_done(&w->jwks);
	buf_done(&w->sealing);
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

	buf_done(&a->wellknown.sealing);
	a->wellknown.sealing = BUF_INIT(PUBLIC_KEYS_MAX);
	buf_str(&a->wellknown.sealing, k->sealing);
	if (str_eq(k->issuer, buf_view(&a->wellknown.issuer)) &&
	    str_eq(k->jwks, buf_view(&a->wellknown.jwks)))
		return;
	set(&a->wellknown, k->issuer, k->jwks);
	buf_printf(&b, STR_FMT "\n" STR_FMT "\n", STR_ARG(k->issuer),
		   STR_ARG(k->jwks));
	if (fd_write_file(a->state_fd, FILE_NAME, buf_view(&b), 0600, &e))
		log_warn("%s: %s", FILE_NAME, e.text);
}

/* --- answers ------------------------------------------------------------- */

/* What each is made of; false: it is not known. */
typedef bool put_fn(struct request *r, struct buf *b);

struct waiting {
	struct request *r;
	put_fn *put;
	bool cached;
};

static void answer(struct request *r, put_fn *put, bool cached)
{
	struct buf b = BUF_INIT(PUBLIC_KEYS_MAX + 4096);

	if (!put(r, &b)) {
		reply_problem(r, 503, "unavailable",
			      "the keeper has not said which keys it has");
	} else if (cached) {
		reply_view(r, &b);
		reply_cached(r, AGE_MAX_S);
	} else {
		reply_json(r, 200, &b);
	}
}

static void on_status(void *ctx, const struct keeper_answer *a)
{
	struct waiting *w = ctx;

	(void)a;
	answer(w->r, w->put, w->cached);
	request_resume(w->r);
}

/* A server that has just begun may not have heard yet: what the keeper says
 * first it has said when it answers. */
static int tell(struct request *r, put_fn *put, bool cached)
{
	CLEANUP_BUF struct buf b = BUF_INIT(PUBLIC_KEYS_MAX + 4096);
	struct wire_writer none = {.len = 0};
	struct waiting *w;
	struct err e;

	if (put(r, &b)) {
		answer(r, put, cached);
		return 0;
	}
	w = mem_alloc(sizeof(*w));
	*w = (struct waiting){r, put, cached};
	r->state = w;
	r->state_free = mem_free;
	if (keeper_ask(r->api->keeper, MSG_STATUS, &none, STR(""), on_status, w,
		       &e)) {
		answer(r, put, cached);
		return 0;
	}
	request_wait(r);
	return 0;
}

/* OpenID Connect Discovery 1.0, section 3: as much of it as there is. */
static bool put_about(struct request *r, struct buf *b)
{
	struct str issuer = buf_view(&r->api->wellknown.issuer);

	buf_puts(b, "{\"issuer\":\"");
	buf_json(b, issuer);
	buf_puts(b, "\",\"jwks_uri\":\"");
	buf_json(b, issuer);
	buf_puts(b, "/.well-known/jwks.json\","
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
	return issuer.len != 0;
}

static bool put_jwks(struct request *r, struct buf *b)
{
	buf_str(b, buf_view(&r->api->wellknown.jwks));
	buf_putc(b, '\n');
	return b->len > 1;
}

/* Whoever seals takes our time with the key: no other clock counts. */
static bool put_sealing(struct request *r, struct buf *b)
{
	const struct wellknown *w = &r->api->wellknown;

	buf_putc(b, '{');
	buf_str(b, buf_view(&w->sealing));
	buf_printf(b, ",\"time\":%" PRId64 "}\n", clock_real_us() / 1000000);
	return w->sealing.len && keeper_up(r->api->keeper);
}

int h_openid_configuration(struct request *r)
{
	return tell(r, put_about, true);
}

int h_jwks(struct request *r)
{
	return tell(r, put_jwks, true);
}

int h_sealing_key(struct request *r)
{
	return tell(r, put_sealing, false);
}
