/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What policy says of a run; see policyview.h. */
#include "engine/policyview.h"
#include "base/hash.h"
#include "engine/planview.h"
#include "job/git.h"
#include "job/job.h"
#include "job/plan.h"

#include <inttypes.h>

struct view {
	const struct policyview_ask *q;
	const struct job_plan *p;
	struct buf *b;
	bool allowed;
};

static void text(struct buf *b, const char *key, struct str s)
{
	buf_printf(b, "\"%s\":\"", key);
	buf_json(b, s);
	buf_putc(b, '"');
}

static void digest(struct buf *b, const char *key, const struct hash *h)
{
	char hex[HASH_HEX_LEN + 1];

	hash_hex(h, hex);
	buf_printf(b, ",\"%s\":\"sha256:%s\"", key, hex);
}

static void reasons(struct buf *b, const struct policy_verdict *v)
{
	buf_puts(b, ",\"reasons\":[");
	for (size_t i = 0; i < v->n_reasons; i++) {
		const struct policy_place *at = &v->places[i];

		buf_puts(b, i ? ",{" : "{");
		text(b, "text", str_from(v->reasons[i]));
		if (v->would[i][0]) {
			buf_putc(b, ',');
			text(b, "would", str_from(v->would[i]));
		}
		if (at->file) {
			buf_putc(b, ',');
			text(b, "file", str_from(at->file));
			buf_printf(b, ",\"line\":%u}", at->line);
		} else {
			buf_puts(b, ",\"file\":null,\"line\":null}");
		}
	}
	buf_putc(b, ']');
}

/* As clamped (those that there are), and the names of those that were cut. */
static void limits(struct buf *b, const struct job_attempt *a,
		   const struct policy_verdict *v)
{
	const struct {
		const char *name, *key;
		uint64_t asked, is;
	} all[] = {
		{"memory",     "memory_bytes", a->limits.memory_bytes,
		 v->limits.memory_bytes						   },
		{"disk",       "disk_bytes",   a->limits.disk_bytes,
		 v->limits.disk_bytes						     },
		{"log",        "log_bytes",    a->limits.log_bytes,    v->limits.log_bytes},
		{"pids",       "pids",         a->limits.pids,         v->limits.pids     },
		{"cpu",        "cpu_milli",    a->limits.cpu_milli,    v->limits.cpu_milli},
		{"open_files", "open_files",   a->limits.open_files,
		 v->limits.open_files						     },
		{"timeout",    "timeout_us",   a->timeout_us,          v->timeout_us      },
	};
	size_t n = 0;

	buf_puts(b, ",\"limits\":{");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].is)
			buf_printf(b, "%s\"%s\":%" PRIu64, n++ ? "," : "",
				   all[i].key, all[i].is);
	n = 0;
	buf_puts(b, "},\"clamped\":[");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].is < all[i].asked)
			buf_printf(b, "%s\"%s\"", n++ ? "," : "", all[i].name);
	buf_putc(b, ']');
}

static void verdict(struct view *v, struct str name,
		    const struct job_attempt *a)
{
	struct policy_verdict said;

	policy_decide(v->q->policies, a, &said);
	v->allowed &= said.allowed;
	buf_putc(v->b, '{');
	text(v->b, "name", name);
	buf_printf(v->b, ",\"allowed\":%s", said.allowed ? "true" : "false");
	reasons(v->b, &said);
	limits(v->b, a, &said);
	buf_putc(v->b, '}');
}

static int task(struct view *v, size_t i, struct err *e)
{
	const struct job_instance *in = &v->p->instances[i];
	struct job_attempt *a;

	if (in->action != ACTION_COMMAND) { /* nothing is launched */
		buf_putc(v->b, '{');
		text(v->b, "name", in->name);
		buf_puts(v->b, ",\"allowed\":true,\"reasons\":[],"
			       "\"limits\":{},\"clamped\":[]}");
		return 0;
	}
	if (job_plan_attempt(v->p, i, NULL, &a, e))
		return -1;
	verdict(v, in->name, a);
	job_attempt_free(a);
	return 0;
}

static int source(struct view *v, struct problems *ps, struct err *e)
{
	struct job_attempt *a;
	struct job_plan *p;
	struct job_git git;
	int bad = planview_fetch(v->p, &git, &p, &a, ps, e);

	if (!bad) {
		buf_puts(v->b, ",\"source\":");
		verdict(v, git.url, a);
	}
	job_attempt_free(a);
	job_plan_free(p);
	return bad;
}

static int write(struct view *v, struct problems *ps, struct err *e)
{
	const struct policyview_ask *q = v->q;
	struct hash def = hash_sha256(q->canonical.p, q->canonical.len);
	struct hash set = policy_set_digest(q->policies);
	struct buf *b = v->b;

	buf_putc(b, '{');
	text(b, "project", v->p->job->project);
	buf_putc(b, ',');
	text(b, "job", v->p->job->name);
	digest(b, "definition_digest", &def);
	digest(b, "policy_digest", &set);
	buf_puts(b, ",\"principal\":{");
	text(b, "name", q->submitter);
	buf_putc(b, '}');
	if (job_git_has(v->p->job) && source(v, ps, e))
		return -1;
	buf_puts(b, ",\"tasks\":[");
	for (size_t i = 0; i < v->p->n; i++) {
		buf_puts(b, i ? "," : "");
		if (task(v, i, e))
			return -1;
	}
	buf_printf(b, "],\"allowed\":%s}\n", v->allowed ? "true" : "false");
	return 0;
}

int policyview(const struct policyview_ask *q, struct job *job, struct buf *b,
	       struct problems *ps, struct err *e)
{
	struct job_run_facts facts = {STR(""), STR("plan"), q->submitter,
				      STR("")};
	struct view v = {.q = q, .b = b, .allowed = true};
	struct job_plan *p;
	int bad;

	if (job_plan_new(job, q->inputs, &facts, &p, ps))
		return err_set(e, ERR_INVALID, "the inputs are wrong");
	v.p = p;
	bad = write(&v, ps, e);
	job_plan_free(p);
	return bad;
}
