/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Multipart uploads; see upload.h. */
#include "api/upload.h"
#include "api/internal.h"
#include "api/reply.h"
#include "api/route.h"
#include "api/source.h"
#include "base/mem.h"
#include "doc/doc.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

enum {
	POST_BUFFER = 65536,
	REQUEST_PART_MAX = 256 * 1024
};

static const char *const parts[] = {"", "job", "request", "source"};

/* Or is it of a stored one? */
static bool wants_job(const struct upload *u)
{
	return u->r->route->body == BODY_RUN;
}

/* Which part, and is it its turn? */
static int turn_to(struct upload *u, const char *key)
{
	for (unsigned i = 1; i < ARRAY_LEN(parts); i++) {
		if (strcmp(key, parts[i]) != 0)
			continue;
		if (i <= u->part)
			break;
		if (i == 1 ? !wants_job(u) : wants_job(u) && !u->job.len)
			break;
		u->part = i;
		return 0;
	}
	return reply_problem(u->r, 400, "bad-part",
			     "the parts are %srequest, source, each once and "
			     "in this order",
			     wants_job(u) ? "job, " : ""),
	       -1;
}

static int feed_source(struct upload *u, const char *data, size_t len)
{
	struct err e;

	if (!u->source && source_begin(u->r->api->state_fd, SOURCE_FILES_MAX,
				       SOURCE_BYTES_MAX, &u->source, &e))
		return reply_err(u->r, &e), -1;
	if (!source_feed(u->source, data, len, &e))
		return 0;
	source_abort(u->source);
	u->source = NULL;
	if (e.code == ERR_INVALID)
		reply_problem(u->r, 422, "bad-source", "source: %s", e.text);
	else if (e.code == ERR_LIMIT && !e.sys)
		reply_problem(u->r, 413, "source-too-large", "source: %s",
			      e.text);
	else
		reply_err(u->r, &e);
	return -1;
}

static enum MHD_Result on_part(void *cls, enum MHD_ValueKind kind,
			       const char *key, const char *filename,
			       const char *content_type, const char *encoding,
			       const char *data, uint64_t off, size_t len)
{
	struct upload *u = cls;

	(void)kind;
	(void)encoding;
	if (u->r->phase == REQUEST_ANSWERED)
		return MHD_NO;
	if (!key ||
	    ((!off || strcmp(key, parts[u->part]) != 0) && turn_to(u, key)))
		return MHD_NO;
	switch (u->part) {
	case 1:
		(void)snprintf(u->job_type, sizeof(u->job_type), "%s",
			       content_type ? content_type : "");
		(void)snprintf(u->job_name, sizeof(u->job_name), "%s",
			       filename ? filename : "");
		if (buf_put(&u->job, data, len))
			return MHD_YES;
		break;
	case 2:
		if (buf_put(&u->request, data, len))
			return MHD_YES;
		break;
	default:
		return feed_source(u, data, len) ? MHD_NO : MHD_YES;
	}
	reply_problem(u->r, 413, "too-large", "part %s is too large", key);
	return MHD_NO;
}

void upload_begin(struct request *r)
{
	struct str type = request_header(r, "Content-Type");
	struct upload *u;

	if ((r->route->body != BODY_RUN && r->route->body != BODY_ORDER) ||
	    !str_starts(type, STR("multipart/form-data")))
		return;
	u = mem_alloc(sizeof(*u));
	u->r = r;
	u->job = BUF_INIT(DOC_TEXT_MAX);
	u->request = BUF_INIT(REQUEST_PART_MAX);
	u->pp = MHD_create_post_processor(r->conn, POST_BUFFER, on_part, u);
	r->upload = u;
	if (!u->pp)
		reply_problem(r, 400, "bad-multipart",
			      "multipart/form-data without a boundary "
			      "of two characters or more");
}

void upload_feed(struct request *r, const char *data, size_t len)
{
	if (MHD_post_process(r->upload->pp, data, len) == MHD_YES ||
	    r->phase == REQUEST_ANSWERED)
		return;
	reply_problem(r, 400, "bad-multipart", "malformed multipart/form-data");
}

int upload_end(struct request *r)
{
	struct upload *u = r->upload;
	struct source *s = u->source;
	struct err e;
	int ok;

	ok = MHD_destroy_post_processor(u->pp) == MHD_YES;
	u->pp = NULL;
	if (r->phase == REQUEST_ANSWERED)
		return -1;
	if (!ok || (wants_job(u) && !u->job.len))
		return reply_problem(r, 400, "bad-multipart",
				     "multipart/form-data that is cut off, or "
				     "without a part job"),
		       -1;
	if (!s)
		return 0;
	u->source = NULL;
	if (source_end(s, &u->source_hash, &u->source_bytes, &e)) {
		if (e.code == ERR_INVALID)
			reply_problem(r, 422, "bad-source", "source: %s",
				      e.text);
		else
			reply_err(r, &e);
		return -1;
	}
	u->has_source = true;
	return 0;
}

void upload_free(struct upload *u)
{
	if (!u)
		return;
	if (u->pp)
		(void)MHD_destroy_post_processor(u->pp);
	source_abort(u->source);
	buf_done(&u->job);
	buf_done(&u->request);
	mem_free(u);
}
