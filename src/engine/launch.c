/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One attempt: its directory, its grant, and LAUNCH to the monitor. */
#include "base/clock.h"
#include "base/crash.h"
#include "base/hex.h"
#include "base/log.h"
#include "engine/internal.h"
#include "engine/paths.h"
#include "store/jobs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- before the commit: the attempt and its rows ------------------------ */

/* A shared workspace keeps its uid as long as the run lives. */
static int give_slot(struct instance *in, struct err *e)
{
	struct run *r = in->run;
	struct engine *g = r->g;

	in->row.shared = in->job->workspace_kind == WORKSPACE_SHARED;
	if (!in->row.shared) {
		in->has_slot = live_slot_take(g, &in->row.uid_slot);
		in->row.workspace = in->row.ulid;
		return in->has_slot ? 0 :
				      err_set(e, ERR_LIMIT, "no uid is free");
	}
	if (!r->has_slot) {
		if (!live_slot_take(g, &r->slot))
			return err_set(e, ERR_LIMIT, "no uid is free");
		r->has_slot = true;
		g->n_shared++;
	}
	in->row.uid_slot = r->slot;
	in->row.workspace = r->row.ulid;
	return 0;
}

/* Where the artifact of another task lies, and what it is offered as. */
static int find_files(struct run *r, struct job_attempt *a, struct err *e)
{
	for (size_t k = 0; k < a->n_files; k++) {
		struct job_file *f = &a->files[k];
		char name[320], staged[32];
		const struct kept *found;

		(void)snprintf(name, sizeof(name), STR_FMT "." STR_FMT,
			       STR_ARG(f->task), STR_ARG(f->file));
		found = live_kept(r, str_from(name));
		if (!found)
			return err_set(e, ERR_NOT_FOUND,
				       "files: %s was not made", name);
		(void)snprintf(staged, sizeof(staged), "f%zu", k);
		f->staged =
			str_n(arena_strndup(a->arena, staged, strlen(staged)),
			      strlen(staged));
		f->file = str_n(
			arena_strndup(a->arena, found->file.p, found->file.len),
			found->file.len);
		memcpy(f->sha256, found->sha256, sizeof(f->sha256));
		f->is_private = found->is_private;
	}
	return 0;
}

/* Policies may have changed since the run was made. */
static int check_policy(struct run *r, const struct job_attempt *a,
			struct err *e)
{
	struct policy_verdict v;

	policy_decide(r->g->o.policies, a, &v);
	return v.allowed ? 0 :
			   err_set(e, ERR_DENIED, "%s",
				   v.n_reasons ? v.reasons[0] : "not allowed");
}

static void new_row(struct instance *in, struct engine *g)
{
	if (in->attempt)
		(void)map_del(g->by_attempt, str_from(in->row.ulid.s));
	in->row = (struct store_attempt){
		.index = in->index,
		.number = ++in->attempt,
		.ulid = ulid_new(),
		.fence = ++g->fence,
		.state = STATE_RUNNING,
		.exit_code = -1,
		.started_us = clock_real_us(), /* STARTED knows it better */
		.outputs = STR("{}"),
		.error = STR(""),
		.hint = STR(""),
	};
	in->job->attempt = in->row.ulid;
	in->job->number = in->row.number;
	in->job->fence = in->row.fence;
	in->run->ends[in->index] = (struct sched_end){0};
	in->n_outputs = 0;
}

static int prepare(struct run *r, size_t i, struct err *e)
{
	struct job_stand stand = live_stand(r);
	struct instance *in = &r->inst[i];

	if (job_plan_attempt(r->plan, i, &stand, &in->job, e))
		return -1;
	in->job->has_source = r->row.source_bytes != 0;
	if (check_policy(r, in->job, e) || find_files(r, in->job, e))
		return -1;
	cache_find(in);
	new_row(in, r->g);
	if (give_slot(in, e))
		return -1;
	(void)map_put(r->g->by_attempt, str_from(in->row.ulid.s), in);
	return 0;
}

int launch_prepare(struct run *r, size_t i, struct err *e)
{
	struct instance *in = &r->inst[i];

	if (prepare(r, i, e)) {
		job_attempt_free(in->job);
		in->job = NULL;
		return -1;
	}
	in->prepared = in->running = true;
	in->stop_sent = in->alive = false;
	r->has_prepared = true;
	r->g->n_running++;
	live_attempt_changed(r, i);
	return 0;
}

void launch_undo(struct run *r, size_t i)
{
	struct instance *in = &r->inst[i];

	in->prepared = false;
	job_attempt_free(in->job);
	in->job = NULL;
	in->row.state = STATE_FAILED;
	in->row.kind = KIND_UPSTREAM;
	in->row.finished_us = clock_real_us();
	(void)map_del(r->g->by_attempt, str_from(in->row.ulid.s));
	live_let_go(r, i);
}

/* --- after it: the message ---------------------------------------------- */

static void name_into(char to[GRANT_NAME_MAX + 1], struct str s)
{
	(void)snprintf(to, GRANT_NAME_MAX + 1, STR_FMT, STR_ARG(s));
}

static void fill_group(const struct run *r, size_t i, struct grant *gr)
{
	const struct job_instance *all = r->plan->instances;
	uint8_t index = 0;

	gr->stdin_from = GRANT_NO_STDIN;
	gr->group = r->inst[all[i].group].row.ulid;
	for (size_t k = 0; k < r->plan->n; k++) {
		if (all[k].group != all[i].group)
			continue;
		if (k == i)
			gr->group_index = index;
		if (all[i].stdin_from == (int32_t)k)
			gr->stdin_from = index;
		index++;
	}
	gr->group_size = index;
}

static void line_into(char *to, size_t max, struct str s)
{
	(void)snprintf(to, max + 1, STR_FMT, STR_ARG(s));
}

/* Only a job that gets secrets may have to say who it is; where the store does
 * not answer, it is nobody's stored job. */
static uint8_t definition_from(const struct run *r, const struct job_attempt *a)
{
	struct err e;

	return a->n_secrets && store_job_has(r->g->store, r->row.project,
					     r->row.job,
					     r->row.definition_digest, &e) > 0 ?
		       GRANT_STORED :
		       GRANT_SENT;
}

static void fill_who(const struct run *r, size_t i, struct grant_who *w)
{
	const struct job_instance *in = &r->plan->instances[i];
	const struct store_run *row = &r->row;

	name_into(w->job, row->job);
	name_into(w->task, r->plan->job->tasks[in->task].name);
	w->run = row->ulid;
	(void)!hex_decode(row->definition_digest, w->definition.b, HASH_LEN);
	w->definition_from = definition_from(r, r->inst[i].job);
	line_into(w->submitter, GRANT_SUBMITTER_MAX, row->submitter);
	name_into(w->trigger, row->trigger);
	if (row->git_url.len) {
		w->source = GRANT_SOURCE_GIT;
		line_into(w->url, GRANT_URL_MAX, row->git_url);
		line_into(w->ref, GRANT_GITREF_MAX, row->git_ref);
		line_into(w->commit, GRANT_COMMIT_MAX, row->commit);
	} else if (row->source.len) {
		w->source = GRANT_SOURCE_UPLOAD;
		(void)!hex_decode(row->source, w->source_digest.b, HASH_LEN);
	}
}

static void make_grant(const struct run *r, size_t i, struct grant *gr)
{
	const struct instance *in = &r->inst[i];
	const struct job_attempt *a = in->job;
	struct policy_verdict v;

	memset(gr, 0, sizeof(*gr));
	policy_decide(r->g->o.policies, a, &v);
	gr->attempt = in->row.ulid;
	gr->fence = in->row.fence;
	name_into(gr->project, a->project);
	name_into(gr->profile, a->profile);
	(void)!hex_decode(r->row.run_digest, gr->run_digest.b, HASH_LEN);
	gr->policy_digest = r->g->policy_digest;
	for (size_t k = 0; k < a->n_secrets && k < GRANT_REFS_MAX; k++) {
		gr->refs[k].ref =
			hash_sha256(a->secrets[k].ref.p, a->secrets[k].ref.len);
		gr->refs[k].deliver = a->secrets[k].deliver;
		gr->refs[k].flags =
			(uint8_t)((a->secrets[k].keep ? GRANT_REF_KEEP : 0) |
				  (a->secrets[k].refresh ? GRANT_REF_REFRESH :
							   0));
		gr->n_refs++;
	}
	gr->workspace_kind = a->workspace_kind;
	gr->uid_slot = in->row.uid_slot;
	gr->workspace = in->row.workspace;
	gr->network = str_is(a->network, "host") ? NETWORK_HOST : NETWORK_NONE;
	gr->limits = v.limits;
	gr->timeout_us = v.timeout_us ? v.timeout_us : a->timeout_us;
	gr->grace_us = a->grace_us;
	gr->run_key = job_attempt_private(a);
	fill_group(r, i, gr);
	fill_who(r, i, &gr->who);
}

static int send(struct run *r, size_t i, struct err *e)
{
	int fds[N_LAUNCH_FDS];
	struct wire_writer w = {.len = 0};
	struct grant gr;
	int bad;

	for (size_t k = 0; k < N_LAUNCH_FDS; k++)
		fds[k] = -1;
	bad = launch_open(r, i, fds, e);
	if (!bad && !r->g->monitor)
		bad = err_set(e, ERR_UNAVAILABLE, "the monitor is away");
	if (!bad) {
		make_grant(r, i, &gr);
		grant_encode(&gr, &w);
		CRASH_POINT("launch.before");
		bad = chan_post(r->g->monitor, MSG_LAUNCH, &w, fds,
				N_LAUNCH_FDS, e);
	}
	for (size_t k = 0; k < N_LAUNCH_FDS; k++)
		fd_close(&fds[k]);
	return bad;
}

/* The monitor would wait for ever for the one that does not come. */
static void give_up_group(struct run *r, size_t of)
{
	uint32_t group = r->plan->instances[of].group;

	for (size_t i = 0; i < r->plan->n; i++) {
		struct instance *in = &r->inst[i];
		struct ended end = {
			.id = {in->row.ulid, in->row.fence},
			.state = STATE_FAILED,
			.kind = KIND_UPSTREAM,
			.exit_code = -1,
		};

		if (i == of || r->plan->instances[i].group != group)
			continue;
		if (!in->prepared) {
			monitor_stop_attempt(in);
			continue;
		}
		in->prepared = false;
		live_let_go(r, i);
		result_finish(in, &end, NULL, NULL, NULL);
	}
}

static void send_or_fail(struct run *r, size_t i)
{
	struct instance *in = &r->inst[i];
	struct ended end = {
		.id = {in->row.ulid, in->row.fence},
		.state = STATE_FAILED,
		.kind = KIND_SETUP,
		.exit_code = -1,
	};
	struct err why;
	bool stop = in->stop_sent;

	if (!send(r, i, &why)) {
		CRASH_POINT("launch.after");
		in->stop_sent = false;
		if (stop) /* somebody cancelled it in between */
			monitor_stop_attempt(in);
		return;
	}
	/* no fault of the task's: the next server finds it as it is */
	if (!r->g->o.stay_without_monitor &&
	    (why.sys == EPIPE || why.sys == ECONNRESET)) {
		log_error("the monitor is gone: %s", why.text);
		_exit(1);
	}
	log_error("attempt %s: not launched: %s", in->row.ulid.s, why.text);
	live_let_go(r, i);
	give_up_group(r, i);
	result_finish(in, &end, NULL, NULL, &why);
}

void launch_all(struct run *r)
{
	r->has_prepared = false;
	for (size_t i = 0; i < r->plan->n; i++) {
		struct instance *in = &r->inst[i];

		if (!in->prepared)
			continue;
		in->prepared = false;
		send_or_fail(r, i);
		job_attempt_free(in->job);
		in->job = NULL;
	}
}
