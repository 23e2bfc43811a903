/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Stored jobs and their revisions: get and list. */
#include "api/handlers.h"
#include "api/hookset.h"
#include "api/internal.h"
#include "api/jobview.h"
#include "api/negotiate.h"
#include "api/page.h"
#include "api/reply.h"
#include "base/hash.h"
#include "base/mem.h"
#include "job/job.h"

enum {
	VIEW_MAX = 32 << 20,
	HOOKS_MAX = 64 << 10
};

static const char *const types[] = {"application/json", "application/yaml",
				    "application/toml"};
static const enum doc_syntax syntaxes[] = {DOC_JSON, DOC_YAML, DOC_TOML};

/* --- getting one -------------------------------------------------------- */

/* In the syntax that was asked for: as it was sent where that is it, else
 * written anew. */
struct wanted {
	struct buf b, hooks;
	char etag[JOB_ETAG_MAX];
	int type; /* index into types */
};

static int write_as(const struct store_job *j, enum doc_syntax syntax,
		    struct buf *b, struct err *e)
{
	CLEANUP_MEM struct problems *ps = NULL;
	struct doc *d;
	int bad;

	if (str_is(j->syntax, doc_syntax_name(syntax)))
		return buf_str(b, j->text) ? 0 : -1;
	ps = mem_alloc(sizeof(*ps));
	if (doc_parse_max(j->canonical, DOC_JSON, JOB_CANONICAL_MAX, &d, ps))
		return err_set(e, ERR_INTERNAL, "a stored job is odd: %s",
			       ps->items[0].message);
	bad = doc_write(d->root, syntax, b, e);
	doc_free(d);
	return bad;
}

static int show_text(struct wanted *w, const struct store_job *j, struct err *e)
{
	jobview_etag(j->digest, w->etag);
	return write_as(j, syntaxes[w->type], &w->b, e);
}

static int show_job(void *ctx, const struct store_job *j, struct err *e)
{
	struct wanted *w = ctx;

	if (w->type)
		return show_text(w, j, e);
	jobview_etag(j->digest, w->etag);
	jobview_job(j, buf_view(&w->hooks), &w->b);
	buf_putc(&w->b, '\n');
	return 0;
}

static int show_revision(void *ctx, const struct store_job *j, struct err *e)
{
	struct wanted *w = ctx;

	if (w->type)
		return show_text(w, j, e);
	jobview_etag(j->digest, w->etag);
	jobview_revision(j, true, &w->b);
	buf_putc(&w->b, '\n');
	return 0;
}

static int get(struct request *r, struct str digest, store_job_fn *fn)
{
	struct wanted w = {.b = BUF_INIT(VIEW_MAX),
			   .hooks = BUF_INIT(HOOKS_MAX)};
	struct str none_match = request_header(r, "If-None-Match");
	struct err e;

	w.type = accept_pick(request_header(r, "Accept"), types,
			     ARRAY_LEN(types));
	if (w.type < 0)
		return reply_problem(r, 406, "not-acceptable",
				     "a job is application/json, "
				     "application/yaml or application/toml");
	if (hookset_view(r, r->params[0], r->params[1], &w.hooks, &e) ||
	    store_read_job(r->api->reader, r->params[0], r->params[1], digest,
			   fn, &w, &e)) {
		buf_done(&w.b);
		buf_done(&w.hooks);
		return reply_err(r, &e);
	}
	buf_done(&w.hooks);
	if (none_match.p && etag_weakly_in(none_match, str_from(w.etag))) {
		buf_done(&w.b);
		reply_empty(r, 304);
	} else if (w.type) {
		reply_text(r, 200, types[w.type], &w.b);
	} else {
		reply_json(r, 200, &w.b);
	}
	reply_header(r, "ETag", w.etag);
	reply_header(r, "Vary", "Accept");
	return 0;
}

int h_job(struct request *r)
{
	return get(r, STR(""), show_job);
}

/* "sha256:HEX" as answers have it, or the digits alone; -1 answered. */
static int digest_of(struct request *r, struct str s, struct str *ret)
{
	if (str_starts(s, STR("sha256:")))
		s = str_from_at(s, 7);
	*ret = s;
	if (s.len == HASH_HEX_LEN)
		return 0;
	return reply_problem(r, 404, "not-found", "no such revision"), -1;
}

int h_revision(struct request *r)
{
	struct str digest;

	if (digest_of(r, r->params[2], &digest))
		return 0;
	return get(r, digest, show_revision);
}

/* --- lists -------------------------------------------------------------- */

struct listed {
	struct buf b;
	uint32_t n, limit;
	int64_t last; /* revision of the last that fits */
	bool more, revisions;
};

static int add_item(void *ctx, const struct store_job *j, struct err *e)
{
	struct listed *l = ctx;

	(void)e;
	if (l->n++ == l->limit) {
		l->more = true;
		return 0;
	}
	if (l->n > 1)
		buf_putc(&l->b, ',');
	l->last = j->revision;
	if (l->revisions)
		jobview_revision(j, false, &l->b);
	else
		jobview_item(j, &l->b);
	return 0;
}

static int list(struct request *r, bool revisions)
{
	struct listed l = {.b = BUF_INIT(VIEW_MAX), .revisions = revisions};
	struct page page;
	struct err e;
	int bad;

	if (page_of(r, &page))
		return 0;
	l.limit = page.limit;
	buf_puts(&l.b, "{\"items\":[");
	bad = revisions ?
		      store_read_revisions(r->api->reader, r->params[0],
					   r->params[1], page.before,
					   page.limit + 1, add_item, &l, &e) :
		      store_read_jobs(r->api->reader, r->params[0], page.before,
				      page.limit + 1, add_item, &l, &e);
	if (!bad && revisions && !l.n && !page.before)
		bad = err_set(&e, ERR_NOT_FOUND, "no such job");
	if (bad) {
		buf_done(&l.b);
		return reply_err(r, &e);
	}
	buf_putc(&l.b, ']');
	return page_reply(r, &l.b, l.more ? l.last : 0);
}

int h_jobs(struct request *r)
{
	return list(r, false);
}

int h_revisions(struct request *r)
{
	return list(r, true);
}
