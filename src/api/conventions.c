/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What holds for every route; see conventions.h. */
#include "api/conventions.h"
#include "api/headers.h"
#include "api/negotiate.h"
#include "api/once.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/hash.h"
#include "doc/doc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- what comes out ----------------------------------------------------- */

/* The types of good answers; how many. */
static size_t good_types(const struct route *t,
			 const char *types[ROUTE_ANSWERS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < ROUTE_ANSWERS_MAX && t->answers[i].status; i++)
		if (t->answers[i].status < 300 && t->answers[i].type)
			types[n++] = t->answers[i].type;
	return n;
}

static int check_accept(struct request *r)
{
	struct str accept = request_header(r, "Accept");
	CLEANUP_BUF struct buf list = BUF_INIT(512);
	const char *types[ROUTE_ANSWERS_MAX];
	size_t n = good_types(r->route, types);

	if (!n || accept_pick(accept, types, n) >= 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(types[i], types[i - 1]) != 0)
			buf_printf(&list, "%s%s", i ? ", " : "", types[i]);
	return reply_problem(r, 406, "not-acceptable", "this gives %s",
			     buf_cstr(&list)),
	       -1;
}

/* --- what goes in ------------------------------------------------------- */

static bool takes_type(const struct route *t, struct str type)
{
	const char *const *types = route_body_types(t->body);
	struct str plain = str_trim(str_cut(&type, ';'));

	for (size_t i = 0; types[i]; i++)
		if (accept_pick(plain, &types[i], 1) == 0 ||
		    (doc_syntax_of_type(plain) != DOC_SYNTAX_UNKNOWN &&
		     doc_syntax_of_type(plain) ==
			     doc_syntax_of_type(str_from(types[i]))))
			return true;
	return false;
}

/* Where only JSON is taken it must be said; a job's handler asks again. */
static int check_type(struct request *r)
{
	struct str type = request_header(r, "Content-Type");
	struct str length = request_header(r, "Content-Length");
	bool empty = !request_header(r, "Transfer-Encoding").p &&
		     (!length.p || str_is(length, "0"));

	switch (r->route->body) {
	case BODY_NONE:
	case BODY_BYTES:
	case BODY_TAR:
	case BODY_ANY:
		return 0;
	case BODY_JSON:
		break;
	case BODY_ORDER:
		if (empty)
			return 0;
		break;
	case BODY_JOB:
	case BODY_RUN:
		if (!type.p)
			return 0;
		break;
	}
	if (type.len && takes_type(r->route, type))
		return 0;
	return reply_problem(r, 415, "unsupported-type", "%s is wanted%s",
			     route_body_types(r->route->body)[0],
			     r->route->body == BODY_JSON ?
				     "" :
				     ", or another that the OpenAPI document "
				     "names"),
	       -1;
}

static int check_key(struct request *r)
{
	struct str key = request_header(r, "Idempotency-Key");

	if (!key.p || idempotency_key_ok(key))
		return once_enter(r);
	return reply_problem(r, 400, "bad-header",
			     "Idempotency-Key: at most %d visible characters",
			     IDEMPOTENCY_KEY_MAX),
	       -1;
}

int conventions_check(struct request *r)
{
	return request_query_check(r) || check_accept(r) || check_type(r) ||
			       check_key(r) ?
		       -1 :
		       0;
}

void conventions_id(struct request *r)
{
	struct str given = request_header(r, "X-Request-Id");

	if (!request_id_ok(given))
		given = str_from(r->id.s);
	if (given.len >= sizeof(r->shown_id))
		given.len = sizeof(r->shown_id) - 1;
	memcpy(r->shown_id, given.p, given.len);
	r->shown_id[given.len] = '\0';
}

/* --- one thing ---------------------------------------------------------- */

void view_tag(struct str body, char out[VIEW_TAG_MAX])
{
	struct hash h = hash_sha256(body.p, body.len);
	uint64_t v;

	memcpy(&v, h.b, sizeof(v));
	(void)snprintf(out, VIEW_TAG_MAX, "W/\"%016" PRIx64 "\"", v);
}

int reply_view(struct request *r, struct buf *b)
{
	char tag[VIEW_TAG_MAX] = "";

	if (!b->failed)
		view_tag(buf_view(b), tag);
	return reply_view_tagged(r, b, tag);
}

int reply_view_tagged(struct request *r, struct buf *b, const char *tag)
{
	struct str none_match = request_header(r, "If-None-Match");

	if (b->failed)
		return reply_json(r, 200, b);
	if (none_match.p && etag_weakly_in(none_match, str_from(tag))) {
		buf_done(b);
		reply_empty(r, 304);
	} else {
		reply_json(r, 200, b);
	}
	reply_header(r, "ETag", tag);
	return 0;
}
