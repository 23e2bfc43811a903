/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a run would be; see planview.h. */
#include "engine/planview.h"
#include "base/hash.h"
#include "base/mem.h"
#include "job/git.h"
#include "job/job.h"
#include "job/plan.h"

#include <inttypes.h>

struct view {
	const struct policy_set *policies;
	const struct job_plan *p;
	struct buf *b;
	bool allowed;
};

static void text(struct buf *b, const char *key, struct str s)
{
	buf_printf(b, ",\"%s\":\"", key);
	buf_json(b, s);
	buf_putc(b, '"');
}

static void number(struct buf *b, const char *key, uint64_t v)
{
	buf_printf(b, ",\"%s\":%" PRIu64, key, v);
}

static void pairs(struct buf *b, const char *key, const struct job_pair *p,
		  size_t n)
{
	buf_printf(b, ",\"%s\":{", key);
	for (size_t i = 0; i < n; i++) {
		buf_puts(b, i ? ",\"" : "\"");
		buf_json(b, p[i].name);
		buf_puts(b, "\":\"");
		buf_json(b, p[i].value);
		buf_putc(b, '"');
	}
	buf_putc(b, '}');
}

static void needs(struct view *v, const struct job_instance *in)
{
	buf_puts(v->b, ",\"needs\":[");
	for (size_t k = 0; k < in->n_needs; k++) {
		buf_puts(v->b, k ? ",\"" : "\"");
		buf_json(v->b, v->p->instances[in->needs[k]].name);
		buf_putc(v->b, '"');
	}
	buf_putc(v->b, ']');
	if (in->stdin_from >= 0)
		text(v->b, "stdin", v->p->instances[in->stdin_from].name);
	buf_printf(v->b, ",\"finally\":%s", in->is_finally ? "true" : "false");
}

/* Secrets by what they refer to; never a value. */
static void secrets(struct buf *b, const struct job_attempt *a)
{
	buf_puts(b, ",\"secrets\":[");
	for (size_t i = 0; i < a->n_secrets; i++) {
		buf_puts(b, i ? ",{\"name\":\"" : "{\"name\":\"");
		buf_json(b, a->secrets[i].name);
		buf_putc(b, '"');
		text(b, "ref", a->secrets[i].ref);
		buf_printf(b, ",\"refresh\":%s,\"keep\":%s}",
			   a->secrets[i].refresh ? "true" : "false",
			   a->secrets[i].keep ? "true" : "false");
	}
	buf_puts(b, "],\"templates\":[");
	for (size_t i = 0; i < a->n_templates; i++) {
		buf_puts(b, i ? ",\"" : "\"");
		buf_json(b, a->templates[i].file);
		buf_putc(b, '"');
	}
	buf_putc(b, ']');
}

static void names(struct buf *b, const struct job_attempt *a)
{
	buf_puts(b, ",\"artifacts\":[");
	for (size_t i = 0; i < a->n_artifacts; i++) {
		buf_puts(b, i ? ",\"" : "\"");
		buf_json(b, a->artifacts[i].name);
		buf_putc(b, '"');
	}
	buf_puts(b, "],\"files\":[");
	for (size_t i = 0; i < a->n_files; i++) {
		buf_puts(b, i ? ",\"" : "\"");
		buf_json(b, a->files[i].task);
		buf_putc(b, '.');
		buf_json(b, a->files[i].file);
		buf_putc(b, '"');
	}
	buf_putc(b, ']');
}

static void verdict(struct view *v, const struct job_attempt *a)
{
	struct policy_verdict said;

	policy_decide(v->policies, a, &said);
	v->allowed &= said.allowed;
	number(v->b, "memory_bytes", said.limits.memory_bytes);
	number(v->b, "pids", said.limits.pids);
	number(v->b, "timeout_us", said.timeout_us);
	buf_printf(v->b, ",\"allowed\":%s,\"reasons\":[",
		   said.allowed ? "true" : "false");
	for (size_t i = 0; i < said.n_reasons; i++) {
		buf_puts(v->b, i ? ",\"" : "\"");
		buf_json(v->b, str_from(said.reasons[i]));
		if (said.would[i][0]) {
			buf_puts(v->b, "; this would: ");
			buf_json(v->b, str_from(said.would[i]));
		}
		buf_putc(v->b, '"');
	}
	buf_putc(v->b, ']');
}

static int command(struct view *v, size_t i, struct err *e)
{
	struct job_attempt *a;

	if (job_plan_attempt(v->p, i, NULL, &a, e))
		return -1;
	text(v->b, "action", STR("command"));
	text(v->b, "profile", a->profile);
	text(v->b, "network", a->network);
	secrets(v->b, a);
	if (a->cache.key.len)
		text(v->b, "cache", a->cache.key);
	names(v->b, a);
	verdict(v, a);
	job_attempt_free(a);
	return 0;
}

/* Nothing is launched for it: it may touch nothing. */
static int step(struct view *v, const struct doc_node *what, const char *action,
		struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(DOC_TEXT_MAX);

	text(v->b, "action", str_from(action));
	if (doc_write_canonical(what, &b, e))
		return -1;
	buf_printf(v->b, ",\"%s\":", action);
	buf_str(v->b, buf_view(&b));
	buf_puts(v->b, ",\"profile\":\"\",\"network\":\"none\",\"secrets\":[],"
		       "\"artifacts\":[],\"files\":[],\"allowed\":true,"
		       "\"reasons\":[]");
	return 0;
}

static int instance(struct view *v, size_t i, struct err *e)
{
	const struct job_instance *in = &v->p->instances[i];
	const struct doc_node *node = v->p->job->tasks[in->task].node;
	int bad;

	buf_puts(v->b, i ? ",{\"name\":\"" : "{\"name\":\"");
	buf_json(v->b, in->name);
	buf_putc(v->b, '"');
	needs(v, in);
	if (doc_get(node, "if"))
		text(v->b, "if", doc_get(node, "if")->text);
	pairs(v->b, "matrix", in->matrix, in->n_matrix);
	if (in->action == ACTION_APPROVAL)
		bad = step(v, doc_get(node, "approval"), "approval", e);
	else if (in->action == ACTION_CALL)
		bad = step(v, doc_get(node, "job"), "job", e);
	else
		bad = command(v, i, e);
	buf_putc(v->b, '}');
	return bad;
}

int planview_fetch(const struct job_plan *p, struct job_git *ret_git,
		   struct job_plan **ret_plan, struct job_attempt **ret,
		   struct problems *ps, struct err *e)
{
	struct job_run_facts facts = {STR(""), STR(GIT_TRIGGER),
				      p->facts.submitter, STR("")};
	CLEANUP_BUF struct buf canonical = BUF_INIT(JOB_CANONICAL_MAX);
	struct job *job;

	*ret = NULL;
	*ret_plan = NULL;
	if (job_git_read(p, ret_git, ps) ||
	    job_git_fetch(p, ret_git, &canonical, &job, e) ||
	    job_plan_new(job, STR(""), &facts, ret_plan, ps))
		return -1;
	return job_plan_attempt(*ret_plan, 0, NULL, ret, e);
}

/* What would be fetched, and whether policy lets it; nothing is. */
static int fetched(struct view *v, struct problems *ps, struct err *e)
{
	struct job_attempt *a;
	struct job_plan *p;
	struct job_git git;
	int bad = planview_fetch(v->p, &git, &p, &a, ps, e);

	if (!bad) {
		buf_puts(v->b, ",\"source\":{\"kind\":\"git\"");
		text(v->b, "url", git.url);
		text(v->b, "ref", git.ref);
		if (git.path.len)
			text(v->b, "path", git.path);
		number(v->b, "depth", git.depth);
		buf_printf(v->b, ",\"submodules\":%s",
			   git.submodules ? "true" : "false");
		secrets(v->b, a);
		verdict(v, a);
		buf_putc(v->b, '}');
	}
	job_attempt_free(a);
	job_plan_free(p);
	return bad;
}

static int source(struct view *v, struct problems *ps, struct err *e)
{
	if (job_git_has(v->p->job))
		return fetched(v, ps, e);
	buf_printf(v->b, ",\"source\":{\"kind\":\"%s\"}",
		   v->p->job->has_source ? "upload" : "none");
	return 0;
}

static int write_plan(struct view *v, struct str canonical, struct problems *ps,
		      struct err *e)
{
	struct hash def = hash_sha256(canonical.p, canonical.len);
	char hex[HASH_HEX_LEN + 1];

	hash_hex(&def, hex);
	buf_printf(v->b, "{\"definition_digest\":\"sha256:%s\"", hex);
	text(v->b, "project", v->p->job->project);
	text(v->b, "job", v->p->job->name);
	if (v->p->group.len)
		text(v->b, "group", v->p->group);
	pairs(v->b, "inputs", v->p->inputs, v->p->n_inputs);
	if (source(v, ps, e))
		return -1;
	buf_puts(v->b, ",\"tasks\":[");
	for (size_t i = 0; i < v->p->n; i++)
		if (instance(v, i, e))
			return -1;
	buf_printf(v->b, "],\"allowed\":%s", v->allowed ? "true" : "false");
	return 0;
}

int planview(const struct policy_set *policies, struct job *job,
	     struct str canonical, struct str inputs, struct str submitter,
	     struct buf *b, struct problems *ps, struct err *e)
{
	struct job_run_facts facts = {STR(""), STR("plan"), submitter, STR("")};
	struct view v = {.policies = policies, .b = b, .allowed = true};
	struct job_plan *p;
	int bad;

	if (job_plan_new(job, inputs, &facts, &p, ps))
		return err_set(e, ERR_INVALID, "the inputs are wrong");
	v.p = p;
	bad = write_plan(&v, canonical, ps, e);
	job_plan_free(p);
	return bad;
}
