/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The end of an attempt: its result file, what it made, and what follows for
 * its task.  The runner is not trusted: what it names must have been declared,
 * of the type declared, and hashes are made again.
 */
#include "base/clock.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "job/cache.h"

#include <inttypes.h>
#include <string.h>

#define DAY_US ((uint64_t)24 * 3600 * 1000000)

enum {
	OUTPUTS_MAX = 4 << 20
};

/* --- what the runner wrote ---------------------------------------------- */

/* NULL when there is nothing to believe. */
static struct job_result *read_result(struct instance *in)
{
	struct run *r = in->run;
	CLEANUP_BUF struct buf b = BUF_INIT(RESULT_JSON_MAX);
	CLEANUP_FD int fd = -1;
	struct job_result *x;
	struct err e;

	if (paths_open(r->g->o.state_fd, &r->row.ulid, in->index,
		       r->plan->instances[in->index].name, in->attempt,
		       "result", &fd, &e))
		return NULL;
	if (fd_read_buf(fd, &b, &e) ||
	    (b.len && job_result_decode(buf_view(&b), &x, &e))) {
		log_warn("attempt %s: %s", in->row.ulid.s, e.text);
		return NULL;
	}
	if (!b.len)
		return NULL;
	if (!strcmp(x->id.attempt.s, in->row.ulid.s) &&
	    x->id.fence == in->row.fence)
		return x;
	log_warn("attempt %s: another one's result", in->row.ulid.s);
	job_result_free(x);
	return NULL;
}

void result_begin(struct instance *in, const struct ended *end)
{
	struct run *r = in->run;
	struct job_result *x = read_result(in);
	struct collect *c;

	live_let_go(r, in->index);
	live_room_came(r->g);
	if (!x || !x->n_artifacts) {
		result_finish(in, end, x, NULL, NULL);
		job_result_free(x);
		return;
	}
	/* hashing is not for this thread */
	c = mem_alloc(sizeof(*c));
	paths_attempt(c->dir, &r->row.ulid, in->index,
		      r->plan->instances[in->index].name, in->attempt);
	c->attempt = in->row.ulid;
	c->end = *end;
	c->result = x;
	c->is_source = gitsource_is_fetch(r);
	collect_post(r->g, c);
}

/* --- artifacts ---------------------------------------------------------- */

static const struct doc_node *declared(const struct instance *in,
				       const char *what, struct str name)
{
	const struct job_plan *p = in->run->plan;
	uint32_t task = p->instances[in->index].task;

	return doc_get_str(doc_get(p->job->tasks[task].node, what), name);
}

static bool is_stdout(const struct instance *in, struct str name)
{
	const struct job_plan *p = in->run->plan;
	uint32_t task = p->instances[in->index].task;
	const struct doc_node *out =
		doc_get(p->job->tasks[task].node, "stdout");

	return name.len && str_eq(job_text(doc_get(out, "artifact"), ""), name);
}

static int take_artifact(struct instance *in,
			 const struct job_result_artifact *a,
			 const struct collected *got, struct err *e)
{
	const struct doc_node *node = declared(in, "artifacts", a->name);
	struct run *r = in->run;
	CLEANUP_BUF struct buf name = BUF_INIT(400);
	struct store_artifact row = {.index = in->index,
				     .attempt = in->attempt,
				     .bytes = got->bytes,
				     .created_us = clock_real_us()};
	uint64_t retain = job_time(doc_get(node, "retain"), 0);

	if (!node && !is_stdout(in, a->name))
		return err_set(e, ERR_INVALID,
			       "artifact \"" STR_FMT "\" was not declared",
			       STR_ARG(a->name));
	hash_hex(&got->hash, row.sha256);
	if (strcmp(row.sha256, a->sha256) != 0)
		return err_set(e, ERR_INVALID,
			       "artifact \"" STR_FMT "\" was changed after "
			       "the task ended",
			       STR_ARG(a->name));
	buf_printf(&name, STR_FMT "." STR_FMT,
		   STR_ARG(r->plan->instances[in->index].name),
		   STR_ARG(a->name));
	row.name = live_str(r, buf_view(&name));
	row.file = live_str(r, a->file.clean);
	row.is_private = str_is(job_text(doc_get(node, "private"), ""), "true");
	if (!retain)
		retain = gate_retention(r->g, r->row.project).artifact_days *
			 DAY_US;
	if (retain)
		row.expires_us = row.created_us + (int64_t)retain;
	live_artifact(r, &row);
	return 0;
}

static int take_artifacts(struct instance *in, const struct job_result *x,
			  const struct collected *got, struct err *e)
{
	for (size_t k = 0; k < x->n_artifacts; k++)
		if (str_is(x->artifacts[k].name, CACHE_RESULT))
			cache_keep(in, &x->artifacts[k], &got[k]);
		else if (take_artifact(in, &x->artifacts[k], &got[k], e))
			return -1;
	return 0;
}

/* --- outputs ------------------------------------------------------------ */

static bool is_json(struct str s, bool only_list)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d;
	bool ok;

	if (doc_parse(s, DOC_JSON, &d, ps))
		return false;
	ok = !only_list || d->root->kind == DOC_LIST;
	doc_free(d);
	return ok;
}

/* Numbers, booleans, lists and JSON go into the object as they are. */
static bool is_bare(struct str type, struct str v, bool *ret_wrong)
{
	int64_t i;
	bool ok;

	if (str_is(type, "int"))
		ok = !str_to_i64(v, INT64_MIN, INT64_MAX, &i);
	else if (str_is(type, "bool"))
		ok = str_is(v, "true") || str_is(v, "false");
	else if (str_is(type, "list") || str_is(type, "json"))
		ok = is_json(v, str_is(type, "list"));
	else
		return false;
	*ret_wrong = !ok;
	return ok;
}

static int take_outputs(struct instance *in, const struct job_result *x,
			struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(OUTPUTS_MAX);

	buf_putc(&b, '{');
	for (size_t k = 0; k < x->n_outputs; k++) {
		const struct job_result_output *o = &x->outputs[k];
		struct str value = o->value.clean;
		const struct doc_node *node = declared(in, "outputs", o->name);
		bool wrong = !node, bare;

		bare = node &&
		       is_bare(job_text(doc_get(node, "type"), "string"), value,
			       &wrong);
		if (wrong)
			return err_set(e, ERR_INVALID,
				       "output \"" STR_FMT "\" is not what was "
				       "declared",
				       STR_ARG(o->name));
		buf_puts(&b, k ? ",\"" : "\"");
		buf_json(&b, o->name);
		buf_puts(&b, bare ? "\":" : "\":\"");
		if (bare)
			buf_str(&b, value);
		else
			buf_json(&b, value);
		if (!bare)
			buf_putc(&b, '"');
		live_keep_output(in->run, in->index, o->name, value);
	}
	if (!buf_putc(&b, '}'))
		return err_set(e, ERR_LIMIT, "the outputs are too large");
	in->row.outputs = live_str(in->run, buf_view(&b));
	return 0;
}

/* --- the attempt's row -------------------------------------------------- */

/* A name of the definition, counts: nothing of a value. */
static struct str secrets_json(struct run *r, const struct job_result *x)
{
	CLEANUP_BUF struct buf b = BUF_INIT(RESULT_JSON_MAX);

	buf_putc(&b, '[');
	for (size_t i = 0; i < x->n_secrets; i++) {
		buf_puts(&b, i ? ",{\"name\":\"" : "{\"name\":\"");
		buf_json(&b, x->secrets[i].name);
		buf_printf(&b,
			   "\",\"seen\":%" PRIu64 ",\"joined\":%" PRIu64 "}",
			   x->secrets[i].seen, x->secrets[i].joined);
	}
	buf_putc(&b, ']');
	return live_str(r, b.failed ? STR("[]") : buf_view(&b));
}

/* For the audit: RUN/TASK/ATTEMPT and how often which. */
static struct str seen_text(const struct instance *in,
			    const struct job_result *x)
{
	CLEANUP_BUF struct buf b = BUF_INIT(RESULT_JSON_MAX);
	struct run *r = in->run;

	if (!x->n_secrets)
		return STR("");
	buf_printf(&b, "%s/" STR_FMT "/%" PRIu32, r->row.ulid.s,
		   STR_ARG(r->plan->instances[in->index].name), in->attempt);
	for (size_t i = 0; i < x->n_secrets; i++)
		buf_printf(&b, " " STR_FMT "=%" PRIu64,
			   STR_ARG(x->secrets[i].name), x->secrets[i].seen);
	return live_str(r, b.failed ? STR("") : buf_view(&b));
}

static void fill_row(struct instance *in, const struct ended *end,
		     const struct job_result *x)
{
	struct store_attempt *row = &in->row;

	row->state = x ? x->state : (enum run_state)end->state;
	row->kind = x ? x->kind : (enum fail_kind)end->kind;
	row->exit_code = x ? x->exit_code : end->exit_code;
	row->signo = x ? x->signo : end->signo;
	row->finished_us = clock_real_us();
	if (!x)
		return;
	if (x->started_us)
		row->started_us = x->started_us;
	if (x->finished_us)
		row->finished_us = x->finished_us;
	row->cpu_us = x->usage.cpu_us;
	row->memory_peak_bytes = x->usage.memory_peak_bytes;
	row->pids_peak = x->usage.pids_peak;
	row->not_enforced = x->usage.not_enforced;
	row->log_bytes = x->log_bytes;
	row->redactions = x->redactions;
	row->log_truncated = x->log_truncated;
	row->error = live_str(in->run, x->error.clean);
	row->hint = live_str(in->run, x->hint.clean);
	row->secrets = secrets_json(in->run, x);
	in->seen = seen_text(in, x);
}

static void fail_row(struct instance *in, enum fail_kind kind, struct str why)
{
	in->row.state = STATE_FAILED;
	in->row.kind = kind;
	in->row.error = live_str(in->run, why);
}

/* Why it failed, or that it was cancelled, is not hidden by what it left. */
static void spoil(struct instance *in, enum fail_kind kind, struct str why)
{
	if (in->row.state == STATE_SUCCEEDED)
		fail_row(in, kind, why);
}

static void explain(struct instance *in)
{
	static const struct {
		enum fail_kind kind;
		const char *text;
	} texts[] = {
		{KIND_LOST,     "lost: a part of the server ended before it did"},
		{KIND_UPSTREAM, "another task of its pipe failed"               },
		{KIND_TIMEOUT,  "it took longer than its timeout"               },
		{KIND_INTERNAL, "the server could not run it; see its log"      },
	};

	if (in->row.error.len || in->row.state != STATE_FAILED)
		return;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].kind == in->row.kind)
			in->row.error = str_from(texts[i].text);
}

/* Only what this run's own rules stopped can be told from a user's cancel. */
static void name_the_deadline(struct instance *in)
{
	const struct run *r = in->run;
	bool over = r->in_finally ? r->finally_over : r->row.timed_out;

	if (in->row.state == STATE_CANCELLED && over && in->stop_sent)
		fail_row(in, KIND_TIMEOUT,
			 r->in_finally ? STR("`finally` took too long") :
					 STR("the job's timeout has struck"));
}

/* --- what follows ------------------------------------------------------- */

static void retry(struct run *r, uint32_t group, uint64_t delay_us, bool away)
{
	int64_t due = clock_real_us() + (int64_t)delay_us;

	for (size_t i = 0; i < r->plan->n; i++) {
		if (r->plan->instances[i].group != group)
			continue;
		if (away)
			away_again(&r->inst[i]);
		live_task_set(r, i, STATE_QUEUED, r->ends[i].kind, STR(""));
		r->due_us[i] = due;
		r->ends[i] = (struct sched_end){0};
	}
}

void result_settle(struct run *r, size_t i)
{
	uint32_t group = r->plan->instances[i].group;
	bool may_retry =
		!r->row.cancelled && !r->row.timed_out && !r->finally_over;
	uint64_t delay;

	for (size_t k = 0; k < r->plan->n; k++)
		if (r->plan->instances[k].group == group && !r->ends[k].ended)
			return; /* the others are waited for */
	live_look(r);
	if (may_retry && sched_retry(r->plan, i, r->ends, &delay)) {
		retry(r, group, delay, sched_away(r->plan, i, r->ends));
		return;
	}
	for (size_t k = 0; k < r->plan->n; k++)
		if (r->plan->instances[k].group == group)
			live_task_set(r, k, r->ends[k].state, r->ends[k].kind,
				      r->inst[k].row.error);
}

/* What was made is in the blobs; what was laid in was a link.  Until that is
 * committed a restart reads the result again, and takes it from there. */
static void tidy(struct instance *in)
{
	static const char *const dirs[] = {"staging", "files"};
	struct run *r = in->run;

	for (size_t k = 0; k < ARRAY_LEN(dirs); k++) {
		struct collect *c = mem_alloc(sizeof(*c));
		size_t len;

		c->remove = true;
		paths_attempt(c->dir, &r->row.ulid, in->index,
			      r->plan->instances[in->index].name, in->attempt);
		len = strlen(c->dir);
		if (len + 1 + strlen(dirs[k]) >= sizeof(c->dir)) {
			collect_free(c);
			continue;
		}
		c->dir[len] = '/';
		memcpy(c->dir + len + 1, dirs[k], strlen(dirs[k]) + 1);
		c->next = r->tidy;
		r->tidy = c;
	}
}

static bool has_key(const struct instance *in, const char *key)
{
	const struct job_plan *p = in->run->plan;

	return doc_get(p->job->tasks[p->instances[in->index].task].node, key);
}

void result_tidy(struct run *r)
{
	struct collect *c;

	while ((c = r->tidy)) {
		r->tidy = c->next;
		c->next = NULL;
		collect_post(r->g, c);
	}
}

static void count(const struct instance *in)
{
	struct engine_stats *s = &in->run->g->stats;
	const struct store_attempt *row = &in->row;

	if (row->state == STATE_SUCCEEDED)
		s->attempts_succeeded++;
	else if (row->state == STATE_CANCELLED)
		s->attempts_cancelled++;
	else if (row->kind < N_KINDS)
		s->attempts_failed[row->kind]++;
	s->log_bytes += row->log_bytes;
	s->redactions += row->redactions;
	histogram_add(&s->attempt_took, row->finished_us - row->started_us);
}

void result_close(struct instance *in)
{
	struct run *r = in->run;

	name_the_deadline(in);
	explain(in);
	(void)map_del(r->g->by_attempt, str_from(in->row.ulid.s));
	live_attempt_changed(r, in->index);
	count(in);
	CRASH_POINT("completion.after");
	r->ends[in->index] = (struct sched_end){
		.ended = true,
		.state = in->row.state,
		.kind = in->row.kind,
		.exit_code = in->row.exit_code,
		.number = in->attempt - in->n_away,
	};
	if (in->told_to_wait)
		away_ended(in, &r->ends[in->index]);
	result_settle(r, in->index);
}

void result_finish(struct instance *in, const struct ended *end,
		   const struct job_result *x, const struct collected *got,
		   const struct err *why)
{
	struct err e = {0};

	fill_row(in, end, x);
	in->told_to_wait = x && x->secrets_away &&
			   in->row.state == STATE_FAILED &&
			   in->row.kind == KIND_SECRET;
	if (!x && in->row.state == STATE_SUCCEEDED)
		fail_row(in, KIND_INTERNAL, STR("it left no result"));
	if (why && why->code && !x)
		fail_row(in, in->row.kind, str_from(why->text));
	else if (why && why->code)
		spoil(in, KIND_ARTIFACT, str_from(why->text));
	else if (got && take_artifacts(in, x, got, &e))
		spoil(in, KIND_ARTIFACT, str_from(e.text));
	if (x && take_outputs(in, x, &e))
		spoil(in, KIND_OUTPUT, str_from(e.text));
	if (x &&
	    (x->n_artifacts || has_key(in, "cache") || has_key(in, "files")))
		tidy(in);
	result_close(in);
}
