/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One attempt, from its grant to its result; see runner.h. */
#include "runner/runner.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "runner/internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int run_fail(struct run *r, enum fail_kind kind, const char *hint,
	     const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (r->result.kind != KIND_NONE)
		return -1;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->result.state = STATE_FAILED;
	r->result.kind = kind;
	/* The text may quote what the task wrote. */
	r->result.error = fetch_clean(r, str_from(text));
	r->result.hint = fetch_clean(r, str_from(hint));
	return -1;
}

void run_say(struct run *r, const char *fmt, ...)
{
	char text[LOGFILE_SAY_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	logfile_say(&r->log, fetch_clean(r, str_from(text)));
}

/* --- before ------------------------------------------------------------- */

static int read_job(struct run *r)
{
	CLEANUP_BUF struct buf b = BUF_INIT(ATTEMPT_JSON_MAX);
	struct err e;

	if (fd_memfd_read(r->fds[LAUNCH_JOB], &b, &e) ||
	    job_attempt_decode(buf_view(&b), &r->a, &e))
		return run_fail(r, KIND_INTERNAL, "", "%s", e.text);
	if (strcmp(r->a->attempt.s, r->g->attempt.s) != 0 ||
	    r->a->fence != r->g->fence ||
	    !str_is(r->a->project, r->g->project) ||
	    !str_is(r->a->profile, r->g->profile) ||
	    r->a->n_readers != r->n_readers)
		return run_fail(r, KIND_INTERNAL, "",
				"the job is not the one that was granted");
	/* The lesser of what the job asks for and what policy grants. */
	if (r->a->log_max_bytes &&
	    (!r->log.max_bytes || r->a->log_max_bytes < r->log.max_bytes))
		r->log.max_bytes = r->a->log_max_bytes;
	return 0;
}

/* The same question as at submission, asked of our own copy. */
static int decide(struct run *r)
{
	struct hash digest = policy_set_digest(r->host->policies);

	if (!hash_eq(&digest, &r->g->policy_digest))
		return run_fail(r, KIND_POLICY, "ask for the run again",
				"the policies have changed since");
	policy_decide(r->host->policies, r->a, &r->verdict);
	if (!r->verdict.allowed)
		return run_fail(r, KIND_POLICY, r->verdict.would[0], "%s",
				r->verdict.reasons[0]);
	if (r->verdict.timeout_us && r->verdict.timeout_us < r->a->timeout_us)
		r->a->timeout_us = r->verdict.timeout_us;
	return 0;
}

/* --- after -------------------------------------------------------------- */

static void judge(struct run *r)
{
	struct job_result *x = &r->result;
	int status = r->status;

	if (x->kind != KIND_NONE)
		return;
	if (r->cancelled && r->cancel_kind == KIND_NONE) {
		x->state = STATE_CANCELLED;
		return;
	}
	if (r->cancelled) {
		run_fail(r, r->cancel_kind, "",
			 r->cancel_kind == KIND_UPSTREAM ?
				 "the task it reads from failed" :
				 "ended by the server");
		return;
	}
	/* Counted in the workspace; or by the kernel, of a single file. */
	if (r->disk_full ||
	    (WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ)) {
		r->disk_full = true;
		run_fail(r, KIND_LIMIT, "sandbox.limits.disk",
			 "more was written than the disk limit allows");
		return;
	}
	if (WIFEXITED(status)) {
		x->exit_code = WEXITSTATUS(status);
		if (!x->exit_code)
			x->state = STATE_SUCCEEDED;
		else
			run_fail(r, KIND_EXIT, "", "exit code %d",
				 x->exit_code);
		return;
	}
	x->signo = (uint8_t)WTERMSIG(status);
	run_fail(r, KIND_SIGNAL, "", "ended by signal %d (%s)", x->signo,
		 sigabbrev_np(x->signo) ? sigabbrev_np(x->signo) : "?");
}

/* The memory limit shows as a signal, or as whatever the program made of it:
 * only the counters know. */
static void judge_usage(struct run *r)
{
	struct job_result *x = &r->result;

	if (r->cpu_us)
		x->usage.cpu_us = r->cpu_us;
	x->usage.disk_full = r->disk_full;
	if (x->usage.oom && x->state == STATE_FAILED &&
	    (x->kind == KIND_SIGNAL || x->kind == KIND_EXIT)) {
		x->kind = KIND_NONE;
		run_fail(r, KIND_OOM, "sandbox.limits.memory",
			 "the memory limit was reached");
	}
}

/* What breaks, or is killed, while the server goes down went down with it: no
 * fault of the task's.  Its own exit code stays what it is. */
static void judge_loss(struct run *r)
{
	struct pollfd p = {.fd = r->fds[FORK_MONITOR]};
	struct job_result *x = &r->result;

	bool alone = p.fd < 0 || (poll(&p, 1, 0) > 0 && p.revents & POLLHUP);
	bool killed = x->kind == KIND_SIGNAL && x->signo == SIGKILL;
	/* what is taken out of a sandbox that is there no more */
	bool taken = x->kind == KIND_OUTPUT || x->kind == KIND_ARTIFACT;

	if (x->state != STATE_FAILED ||
	    !(killed || taken ? alone || r->no_usage :
				alone && (x->kind == KIND_INTERNAL ||
					  x->kind == KIND_SETUP ||
					  x->kind == KIND_SECRET)))
		return;
	x->kind = KIND_NONE;
	x->signo = 0;
	run_fail(r, KIND_LOST, "", "a part of the server ended before it did");
}

/*
 * The readers of our stdout get their end-of-file only if we succeeded.
 * Otherwise the monitor ends them first, and then lets us go.
 */
static void release_readers(struct run *r)
{
	static unsigned char room[WIRE_MAX + 2];
	struct attempt_id id = {r->g->attempt, r->g->fence};
	struct wire_writer w = {.len = 0};
	struct chan_msg msg;
	struct err e;

	attempt_id_encode(&id, &w);
	if (r->n_readers && r->result.state != STATE_SUCCEEDED &&
	    r->fds[FORK_MONITOR] >= 0 &&
	    chan_send(r->fds[FORK_MONITOR], MSG_RUN_UPSTREAM, &w, NULL, 0, &e) >
		    0)
		while (chan_recv(r->fds[FORK_MONITOR], room, &msg, &e) > 0) {
			bool go = msg.type == MSG_RUN_RELEASE;

			chan_msg_done(&msg);
			if (go)
				break;
		}
	for (size_t i = 0; i < r->n_readers; i++)
		fd_close(&r->fds[FORK_READERS + i]);
}

static void sync_log(struct run *r)
{
	struct err e;

	if (logfile_sync(&r->log, &e))
		log_warn("attempt %s: %s", r->g->attempt.s, e.text);
}

static void tell_seen(struct run *r)
{
	struct job_result *x = &r->result;

	x->secrets = r->seen;
	for (size_t i = 0; r->a && i < r->a->n_secrets; i++)
		if (mask_seen(&r->mask, i))
			r->seen[x->n_secrets++] = (struct job_result_secret){
				.name = r->a->secrets[i].name,
				.seen = mask_seen(&r->mask, i),
				.joined = mask_joined(&r->mask, i)};
}

/* Not synced: what it says is durable when the engine has committed it.  Should
 * the machine lose its power before, the attempt is lost, as it is known. */
static int write_result(struct run *r)
{
	CLEANUP_BUF struct buf b = BUF_INIT(RESULT_JSON_MAX);
	struct job_result *x = &r->result;

	x->finished_us = clock_real_us();
	x->outputs = r->outputs;
	x->artifacts = r->artifacts;
	tell_seen(r);
	x->log_bytes = r->log.bytes;
	x->log_truncated = r->log.cut;
	sync_log(r);
	if (!job_result_encode(x, &b) ||
	    fd_write_all(r->fds[LAUNCH_RESULT], b.data, b.len)) {
		log_error("attempt %s: its result could not be written: %s",
			  r->g->attempt.s, strerror(errno));
		return -1;
	}
	return 0;
}

static void say_ended(struct run *r)
{
	struct ended m = {
		.id = {r->g->attempt, r->g->fence},
		.state = (uint8_t)r->result.state,
		.kind = (uint8_t)r->result.kind,
		.exit_code = r->result.exit_code,
		.signo = r->result.signo
        };
	struct wire_writer w = {.len = 0};
	struct err e;

	ended_encode(&m, &w);
	if (chan_send(r->fds[FORK_MONITOR], MSG_RUN_ENDED, &w, NULL, 0, &e) <=
	    0)
		log_warn("attempt %s: nobody to tell its end", r->g->attempt.s);
}

/* --- all of it ---------------------------------------------------------- */

static void carry_out(struct run *r)
{
	if (read_job(r) || decide(r) || fetch_secrets(r))
		return;
	if (lay_sandbox(r) || lay_go(r)) {
		lay_kill(r);
		lay_end(r);
		lay_reap(r);
		return;
	}
	capture(r);
	judge(r);
	if (r->ctl >= 0) {
		collect(r);
		cache_save(r);
	}
	lay_end(r);
	sync_log(r); /* while the sandbox goes */
	lay_reap(r);
	judge_usage(r);
	if (r->log.failed)
		run_fail(r, KIND_INTERNAL, "is the disk full?", "%s",
			 r->log.why.text);
}

int runner_main(const struct runner_host *host, const struct grant *g, int *fds,
		size_t n_readers)
{
	struct run *r = mem_alloc(sizeof(*r));
	int bad;

	signal(SIGPIPE, SIG_IGN);
	*r = (struct run){
		.host = host,
		.g = g,
		.fds = fds,
		.n_readers = n_readers,
		.ctl = -1,
		.script = -1,
		.out = {-1, -1}
        };
	for (size_t i = 0; i < GRANT_REFS_MAX; i++)
		r->secrets[i] = -1;
	r->result.arena = arena_new(RESULT_JSON_MAX);
	r->result.id = (struct attempt_id){g->attempt, g->fence};
	r->result.exit_code = -1;
	r->result.state = STATE_FAILED;
	logfile_init(&r->log, fds[LAUNCH_LOG], fds[LAUNCH_INDEX],
		     g->limits.log_bytes);
	carry_out(r);
	judge_loss(r);
	CRASH_POINT("runner.before-result");
	bad = write_result(r);
	CRASH_POINT("runner.after-result");
	release_readers(r);
	say_ended(r);
	fetch_done(r);
	logfile_done(&r->log);
	job_attempt_free(r->a);
	arena_free(r->result.arena);
	mem_free(r);
	return bad ? 1 : 0;
}
