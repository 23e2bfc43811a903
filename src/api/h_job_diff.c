/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Where two revisions of a job differ. */
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "base/hash.h"
#include "base/mem.h"
#include "job/job.h"
#include "store/jobs.h"

enum {
	DIFF_MAX = 32 << 20
};

struct side {
	struct doc *doc;
	char digest[HASH_HEX_LEN + 1];
};

static int load(void *ctx, const struct store_job *j, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct side *s = ctx;

	for (size_t i = 0; i < j->digest.len && i < HASH_HEX_LEN; i++)
		s->digest[i] = j->digest.p[i];
	if (doc_parse_max(j->canonical, DOC_JSON, JOB_CANONICAL_MAX, &s->doc,
			  ps))
		return err_set(e, ERR_INTERNAL, "a stored job is odd: %s",
			       ps->items[0].message);
	return 0;
}

static int side(struct request *r, struct str digest, struct side *s,
		struct err *e)
{
	if (str_starts(digest, STR("sha256:")))
		digest = str_from_at(digest, 7);
	return store_read_job(r->api->reader, r->params[0], r->params[1],
			      digest, load, s, e);
}

static int answer(struct request *r, struct side *from, struct side *to)
{
	struct buf b = BUF_INIT(DIFF_MAX);
	struct str against = STR("");
	struct err e;

	(void)request_query(r, "to", 0, &against);
	if (side(r, r->params[2], from, &e) || side(r, against, to, &e))
		return reply_err(r, &e);
	buf_printf(&b,
		   "{\"from\":\"sha256:%s\",\"to\":\"sha256:%s\","
		   "\"changes\":",
		   from->digest, to->digest);
	if (doc_diff(from->doc->root, to->doc->root, &b, &e)) {
		buf_done(&b);
		return reply_err(r, &e);
	}
	buf_puts(&b, "}\n");
	return reply_json(r, 200, &b);
}

int h_revision_diff(struct request *r)
{
	struct side from = {0}, to = {0};

	answer(r, &from, &to);
	doc_free(from.doc);
	doc_free(to.doc);
	return 0;
}
