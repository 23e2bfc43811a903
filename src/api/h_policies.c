/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What policy would say of a job.  The request is not about a project of its
 * path, so that the role there is asked for here.
 */
#include "access/access.h"
#include "api/asked.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "base/mem.h"
#include "engine/policyview.h"
#include "job/job.h"
#include "job/keys.h"

enum {
	VIEW_MAX = 32 << 20
};

struct test {
	struct request *r;
	struct doc *body;
	const struct doc_node *job, *inputs;
	struct str project, principal;
	enum doc_syntax syntax;
	struct asked q;
	struct problems ps;
};

/* A viewer of the project asks for themselves, a developer for anybody. */
static int may(struct test *t, struct str project)
{
	struct request *r = t->r;
	struct str me = str_from(r->who.name);
	enum access_level have = access_role(r->api->identity.set, me,
					     str_from(r->who.token), project);

	if (have < ACCESS_VIEWER)
		return reply_problem(r, 404, "not-found", "no such project"),
		       -1;
	if (have < ACCESS_DEVELOPER && !str_eq(t->principal, me))
		return reply_problem(r, 403, "forbidden",
				     "%s is %s in project " STR_FMT
				     "; to ask for others takes a developer",
				     r->who.name, access_role_name(have),
				     STR_ARG(project)),
		       -1;
	return 0;
}

static bool read_principal(const struct doc_node *n, struct str *ret)
{
	const struct doc_node *name = doc_get(n, "name");

	if (n->kind != DOC_MAP || n->n != 1 || !name ||
	    doc_as_string(name, ret) || !ret->len || ret->len > WHO_NAME_MAX)
		return false;
	for (size_t i = 0; i < ret->len; i++)
		if (ret->p[i] <= ' ' || ret->p[i] > '~')
			return false;
	return true;
}

static bool read_key(struct test *t, const struct doc_node *n)
{
	struct str s;

	if (str_is(n->key, "job")) {
		t->job = n;
		return n->kind == DOC_MAP || !doc_as_string(n, &s);
	}
	if (str_is(n->key, "inputs")) {
		t->inputs = n;
		return n->kind == DOC_MAP;
	}
	if (str_is(n->key, "project"))
		return !doc_as_string(n, &t->project) &&
		       job_name_ok(t->project);
	if (str_is(n->key, "principal"))
		return read_principal(n, &t->principal);
	if (!str_is(n->key, "syntax") || doc_as_string(n, &s))
		return false;
	t->syntax = doc_syntax_of_type(s);
	return t->syntax != DOC_SYNTAX_UNKNOWN;
}

static int read_body(struct test *t)
{
	struct request *r = t->r;
	struct err e;

	if (doc_parse(buf_view(&r->body), DOC_JSON, &t->body, &t->ps))
		return reply_problems(r, 400, "malformed", &t->ps), -1;
	for (const struct doc_node *n = t->body->root->kind == DOC_MAP ?
						t->body->root->first :
						NULL;
	     n; n = n->next)
		if (!read_key(t, n))
			return reply_problem(r, 422, "bad-request",
					     "\"" STR_FMT "\": unknown, or "
					     "malformed",
					     STR_ARG(n->key)),
			       -1;
	if (!t->job)
		return reply_problem(r, 422, "bad-request",
				     "\"job\" is missing: a job, its text, or "
				     "the name of one that is stored"),
		       -1;
	if (t->inputs && doc_write_canonical(t->inputs, &t->q.inputs, &e))
		return reply_err(r, &e), -1;
	return 0;
}

/* A name has neither a colon nor a line's end; the text of a job has. */
static int find_job(struct test *t)
{
	struct str name = t->job->text;
	struct doc *d;

	if (t->project.len && may(t, t->project))
		return -1;
	if (t->job->kind != DOC_MAP && job_name_ok(name)) {
		if (!t->project.len)
			t->project = STR("default");
		return may(t, t->project) || asked_find(t->r, t->project, name,
							&t->q, &t->ps) ?
			       -1 :
			       0;
	}
	if (t->job->kind == DOC_MAP ? asked_detach(t->job, &d, &t->ps) :
				      doc_parse(name, t->syntax, &d, &t->ps))
		return reply_problems(t->r, 422, "invalid-job", &t->ps), -1;
	if (asked_take(t->r, d, t->project, &t->q, &t->ps))
		return -1;
	return t->project.len ? 0 : may(t, t->q.job->project);
}

static void answer(struct test *t)
{
	struct policyview_ask ask = {
		.policies = t->r->api->policies,
		.canonical = buf_view(&t->q.canonical),
		.inputs = buf_view(&t->q.inputs),
		.submitter = t->principal,
	};
	struct buf b = BUF_INIT(VIEW_MAX);
	struct job *job = t->q.job;
	struct err e = {0};

	t->q.job = NULL;
	if (!policyview(&ask, job, &b, &t->ps, &e)) {
		reply_json(t->r, 200, &b);
		return;
	}
	buf_done(&b);
	if (t->ps.n)
		reply_problems(t->r, 422, "invalid-inputs", &t->ps);
	else
		reply_err(t->r, &e);
}

int h_policy_test(struct request *r)
{
	CLEANUP_MEM struct test *t = mem_alloc(sizeof(*t));

	t->r = r;
	t->syntax = DOC_YAML;
	t->principal = str_from(r->who.name);
	asked_init(&t->q);
	if (!read_body(t) && !find_job(t))
		answer(t);
	asked_done(&t->q);
	doc_free(t->body);
	return 0;
}
