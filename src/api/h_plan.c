/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a run would be, what it may touch, and what is new since the last one.
 */
#include "api/asked.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "base/mem.h"
#include "engine/planview.h"
#include "job/job.h"
#include "store/reader.h"

#include <string.h>

enum {
	VIEW_MAX = 32 << 20
};

static int see_last(void *ctx, const struct store_run *run, struct err *e)
{
	(void)e;
	memcpy(ctx, &run->ulid, sizeof(run->ulid));
	return 0;
}

static int parse(const struct buf *canonical, struct doc **ret, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));

	if (!doc_parse_max(buf_view(canonical), DOC_JSON, JOB_CANONICAL_MAX,
			   ret, ps))
		return 0;
	return err_set(e, ERR_INTERNAL, "a stored job is odd: %s",
		       ps->items[0].message);
}

/* The definition of the last run of the job, and how this one differs. */
static int put_changes(struct request *r, const struct asked *q,
		       struct str name, struct buf *b, struct err *e)
{
	const struct store_filter f = {
		.project = r->params[0], .job = name, .limit = 1};
	CLEANUP_BUF struct buf before = BUF_INIT(JOB_CANONICAL_MAX);
	struct doc *from = NULL, *to = NULL;
	struct ulid last = {{0}};
	int bad;

	if (store_read_runs(r->api->reader, &f, see_last, &last, e))
		return -1;
	if (!last.s[0]) {
		buf_puts(b, ",\"last_run\":null,\"changes\":[]");
		return 0;
	}
	buf_printf(b, ",\"last_run\":\"run_%s\",\"changes\":", last.s);
	bad = store_read_canonical(r->api->reader, &last, &before, e) ||
	      parse(&before, &from, e) || parse(&q->canonical, &to, e) ||
	      doc_diff(from->root, to->root, b, e);
	doc_free(from);
	doc_free(to);
	return bad ? -1 : 0;
}

static int answer(struct request *r, struct asked *q, struct problems *ps)
{
	struct buf b = BUF_INIT(VIEW_MAX);
	char name[JOB_NAME_MAX + 1] = "";
	struct job *job = q->job;
	struct err e = {0};

	memcpy(name, job->name.p, job->name.len);
	q->job = NULL;
	if (planview(r->api->policies, job, buf_view(&q->canonical),
		     buf_view(&q->inputs), str_from(r->who.name), &b, ps, &e) ||
	    put_changes(r, q, str_from(name), &b, &e)) {
		buf_done(&b);
		return ps->n ? reply_problems(r, 422, "invalid-inputs", ps) :
			       reply_err(r, &e);
	}
	buf_puts(&b, "}\n");
	return reply_json(r, 200, &b);
}

static int plan(struct request *r, asked_fn *read)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct asked q;

	asked_init(&q);
	if (!read(r, &q, ps))
		answer(r, &q, ps);
	asked_done(&q);
	return 0;
}

int h_plan(struct request *r)
{
	return plan(r, asked_sent);
}

int h_job_plan(struct request *r)
{
	return plan(r, asked_stored);
}
