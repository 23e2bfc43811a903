/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The spawner: the only role with privileges.  For each granted channel it
 * makes exactly one sandbox, never more than the grant says, and ends it when
 * the channel closes or its time is over.  Workspaces lie below STATE/work.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/role.h"
#include "role/spawner_janitor.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DEADLINE_SLACK_US = 5000000,
	WORK_ROOT = 0
};

struct spawner {
	struct loop *loop;
	struct sandbox_host *host;
	struct janitor janitor;
	bool cgroups_required;
	struct chan *monitor;
	struct link attempts;
};

struct attempt {
	struct link link;
	struct spawner *s;
	struct grant g;
	struct chan *chan; /* to the runner */
	struct sandbox box;
	bool made, done, has_dir;
	struct loop_timer *deadline;
	struct loop_timer *bury; /* frees, outside of callbacks */
};

/* --- workspaces --------------------------------------------------------- */

static int work_fd(const struct spawner *s)
{
	return sandbox_host_root_fd(s->host, WORK_ROOT);
}

/* Fresh, in a directory that no task can write; owned by the task. */
static int make_workspace(struct attempt *a, struct err *e)
{
	int root = work_fd(a->s);
	uint32_t uid = SANDBOX_UID_BASE + a->g.uid_slot;

	if (mkdirat(root, a->g.workspace.s, 0700)) {
		if (errno == EEXIST && a->g.workspace_kind == WORKSPACE_SHARED)
			return 0;
		return err_sys(e, errno, "workspace");
	}
	a->has_dir = a->g.workspace_kind == WORKSPACE_DISK;
	if (sandbox_host_rootless(a->s->host))
		return 0; /* ours is the task's */
	if (fchownat(root, a->g.workspace.s, uid, uid, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, errno, "workspace: owner");
	return 0;
}

/* --- one attempt -------------------------------------------------------- */

static void specify(const struct attempt *a, const struct make *m,
		    struct sandbox_spec *spec)
{
	const struct grant *g = &a->g;

	memset(spec, 0, sizeof(*spec));
	(void)snprintf(spec->profile, sizeof(spec->profile), "%s", g->profile);
	spec->uid_slot = g->uid_slot;
	spec->network = g->network == NETWORK_HOST ? SANDBOX_NET_HOST :
						     SANDBOX_NET_NONE;
	spec->limits = (struct sandbox_limits){
		.memory_bytes = g->limits.memory_bytes,
		.file_bytes = g->limits.disk_bytes,
		.pids = g->limits.pids,
		.cpu_milli = g->limits.cpu_milli,
		.open_files = g->limits.open_files,
	};
	if (g->workspace_kind == WORKSPACE_MEMORY) {
		spec->work_in_memory = true;
		spec->work_bytes = g->limits.memory_bytes ?
					   g->limits.memory_bytes :
					   256 << 20;
	} else {
		struct sandbox_bind *b = &spec->binds[spec->n_binds++];

		b->root = WORK_ROOT;
		(void)snprintf(b->path, sizeof(b->path), "%s", g->workspace.s);
		(void)snprintf(b->to, sizeof(b->to), SANDBOX_WORK);
	}
	spec->n_secrets = m->n_secrets;
	for (size_t i = 0; i < m->n_secrets; i++)
		memcpy(spec->secrets[i], m->secrets[i],
		       sizeof(spec->secrets[i]));
}

static void say_no(struct attempt *a, const struct err *e)
{
	struct wire_writer w = {.len = 0};
	struct err ignored;

	wire_str(&w, STR(""));
	wire_u32(&w, (uint32_t)e->sys);
	wire_str(&w, str_from(e->text));
	wire_u8(&w, KIND_SETUP);
	(void)!chan_post(a->chan, MSG_MAKE_NO, &w, NULL, 0, &ignored);
}

static void say_made(struct attempt *a)
{
	int fds[2 + SANDBOX_FILES_MAX];
	size_t n = 0, sent = 0;
	struct err e;

	fds[n++] = a->box.ctl;
	fds[n++] = a->box.script;
	for (uint32_t i = 0; i < a->box.n_secrets; i++)
		fds[n++] = a->box.secrets[i];
	while (sent < n) {
		size_t part = n - sent < CHAN_FDS_MAX ? n - sent : CHAN_FDS_MAX;

		(void)!chan_post(a->chan, MSG_MADE, NULL, fds + sent, part, &e);
		sent += part;
	}
	/* Theirs now: what we kept open would hold the sandbox. */
	fd_close(&a->box.ctl);
	fd_close(&a->box.script);
	for (uint32_t i = 0; i < a->box.n_secrets; i++)
		fd_close(&a->box.secrets[i]);
}

static int make(struct attempt *a, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	static struct sandbox_spec spec;
	static struct make m;
	struct err e;

	if (a->made || a->done || make_decode(&r, &m) || !wire_end(&r))
		return -1;
	a->made = true;
	specify(a, &m, &spec);
	if ((a->g.workspace_kind != WORKSPACE_MEMORY &&
	     make_workspace(a, &e)) ||
	    sandbox_launch(a->s->host, &spec, &a->box, &e)) {
		a->made = false;
		a->done = true;
		say_no(a, &e);
		return 0;
	}
	if ((a->g.cgroups_required || a->s->cgroups_required) &&
	    a->box.not_enforced &
		    (SANDBOX_NO_MEMORY | SANDBOX_NO_PIDS | SANDBOX_NO_CPU)) {
		err_set(&e, ERR_UNAVAILABLE,
			"a limit has no cgroup controller here");
		say_no(a, &e);
		return 0;
	}
	loop_timer_set(a->deadline,
		       clock_mono_us() +
			       (int64_t)(a->g.timeout_us + a->g.grace_us) +
			       DEADLINE_SLACK_US);
	say_made(a);
	return 0;
}

static struct usage tear_down(struct attempt *a)
{
	struct sandbox_usage u = {0};
	struct usage out = {0};

	if (a->made) {
		sandbox_kill(&a->box);
		out.not_enforced = a->box.not_enforced;
		sandbox_reap(a->s->host, &a->box, &u);
	}
	a->made = false;
	a->done = true;
	if (a->has_dir)
		janitor_remove(&a->s->janitor, &a->g.workspace);
	a->has_dir = false;
	out.cpu_us = u.cpu_us;
	out.memory_peak_bytes = u.memory_peak_bytes;
	out.pids_peak = u.pids_peak;
	out.oom = u.oom;
	return out;
}

static int on_runner(void *ctx, struct chan_msg *msg)
{
	struct wire_writer w = {.len = 0};
	struct attempt *a = ctx;
	struct usage u;
	struct err e;

	switch (msg->type) {
	case MSG_MAKE:
		return make(a, msg);
	case MSG_KILL:
		if (a->made)
			sandbox_kill(&a->box);
		return 0;
	case MSG_REAP:
		u = tear_down(a);
		usage_encode(&u, &w);
		(void)!chan_post(a->chan, MSG_USAGE, &w, NULL, 0, &e);
		return 0;
	default:
		return -1;
	}
}

static void on_bury(void *ctx)
{
	struct attempt *a = ctx;

	chan_free(a->chan);
	loop_timer_free(a->deadline);
	loop_timer_free(a->bury);
	list_del(&a->link);
	mem_free(a);
}

static void on_runner_gone(void *ctx, const struct err *why)
{
	struct attempt *a = ctx;

	(void)why;
	(void)tear_down(a);
	loop_timer_set(a->bury, clock_mono_us());
}

static const struct chan_ops runner_ops = {on_runner, on_runner_gone};

static void on_deadline(void *ctx)
{
	struct attempt *a = ctx;

	log_warn("attempt %s: past its time, killed", a->g.attempt.s);
	sandbox_kill(&a->box);
}

/* --- the monitor -------------------------------------------------------- */

static int granted(struct spawner *s, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct attempt *a = mem_alloc(sizeof(*a));

	if (grant_decode(&r, &a->g) || !wire_end(&r) || msg->n_fds != 1) {
		mem_free(a);
		return -1;
	}
	a->s = s;
	list_push(&s->attempts, &a->link);
	a->deadline = loop_timer_new(s->loop, on_deadline, a);
	a->bury = loop_timer_new(s->loop, on_bury, a);
	a->chan = chan_new(s->loop, chan_msg_take(msg, 0), &runner_ops, a);
	if (!a->chan)
		on_bury(a);
	return 0;
}

static int released(struct spawner *s, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct ulid id = {.s = ""};

	wire_get_bytes(&r, id.s, ULID_LEN);
	(void)wire_get_u32(&r);
	if (!wire_end(&r) || !ulid_valid(str_n(id.s, ULID_LEN)))
		return -1;
	janitor_remove(&s->janitor, &id);
	return 0;
}

static int on_monitor(void *ctx, struct chan_msg *msg)
{
	struct spawner *s = ctx;

	switch (msg->type) {
	case MSG_GRANT:
		return granted(s, msg);
	case MSG_RELEASE:
		return released(s, msg);
	case MSG_STOP:
		loop_stop(s->loop);
		return 0;
	default:
		return -1;
	}
}

static void on_monitor_gone(void *ctx, const struct err *why)
{
	(void)why;
	loop_stop(((struct spawner *)ctx)->loop);
}

static const struct chan_ops monitor_ops = {on_monitor, on_monitor_gone};

static void serve(struct spawner *s, const struct role_start *start)
{
	char work[INIT_PATH_MAX + 16];
	struct sandbox_root root = {work, true};
	struct sandbox_host_opts o = {
		.roots = &root,
		.n_roots = 1,
		.cgroups = start->init.cgroups_required ? CGROUPS_REQUIRE :
							  CGROUPS_PREFER,
		.allow_no_landlock = start->init.landlock_optional,
	};
	struct err e;

	(void)snprintf(work, sizeof(work), "%s/work", start->init.state);
	s->cgroups_required = start->init.cgroups_required;
	if (loop_new(&s->loop, &e) || sandbox_host_new(&o, &s->host, &e))
		role_failed(&e);
	janitor_sweep(work_fd(s));
	if (janitor_start(&s->janitor, work_fd(s), &e))
		role_failed(&e);
	s->monitor = chan_new(s->loop, ROLE_FD, &monitor_ops, s);
	role_ready();
	if (loop_run(s->loop, &e))
		log_error("%s", e.text);
	LIST_FOR(l, &s->attempts)
	(void)tear_down(LIST_ENTRY(l, struct attempt, link));
	janitor_finish(&s->janitor);
	janitor_sweep(work_fd(s)); /* shared ones: what ran there is lost */
	sandbox_host_free(s->host);
}

int main(void)
{
	struct spawner s = {0};
	struct role_start start;

	list_init(&s.attempts);
	role_begin(ROLE_SPAWNER, &start);
	role_confine(ROLE_SPAWNER, &start);
	serve(&s, &start);
	return 0;
}
