/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One attempt: its directory, its grant, and LAUNCH to the monitor. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/log.h"
#include "engine/blob.h"
#include "engine/internal.h"
#include "engine/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool slot_take(struct engine *g, uint32_t *ret)
{
	for (uint32_t i = 0; i < g->n_slots; i++)
		if (!g->slots[i]) {
			g->slots[i] = 1;
			*ret = i;
			return true;
		}
	return false;
}

void slot_give(struct engine *g, uint32_t slot)
{
	if (slot < g->n_slots)
		g->slots[slot] = 0;
}

/* --- before the commit: the attempt and its rows ------------------------ */

static int give_slot(struct run *r, size_t i, struct err *e)
{
	struct instance *in = &r->inst[i];

	if (in->job->workspace_kind == WORKSPACE_SHARED) {
		if (!r->has_slot && !slot_take(r->g, &r->slot))
			return err_set(e, ERR_LIMIT, "no uid is free");
		r->has_slot = true;
		return 0;
	}
	if (!slot_take(r->g, &in->slot))
		return err_set(e, ERR_LIMIT, "no uid is free");
	in->has_slot = true;
	return 0;
}

/* Where the artifact of another task lies, and what it is offered as. */
static int find_files(struct run *r, struct job_attempt *a, struct err *e)
{
	for (size_t k = 0; k < a->n_files; k++) {
		struct job_file *f = &a->files[k];
		char name[320], staged[32];
		const struct kept *found = NULL;

		(void)snprintf(name, sizeof(name), STR_FMT "." STR_FMT,
			       STR_ARG(f->task), STR_ARG(f->file));
		for (size_t i = 0; i < r->n_kept; i++)
			if (str_is(r->kept[i].name, name))
				found = &r->kept[i];
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
	}
	return 0;
}

int launch_prepare(struct run *r, size_t i, struct err *e)
{
	struct job_stand stand = live_stand(r);
	struct instance *in = &r->inst[i];
	struct store_attempt row = {.index = (uint32_t)i, .exit_code = -1};

	if (job_plan_attempt(r->plan, i, &stand, &in->job, e) ||
	    find_files(r, in->job, e) || give_slot(r, i, e))
		return -1;
	if (in->attempt)
		(void)map_del(r->g->by_attempt, str_from(in->ulid.s));
	in->ulid = ulid_new();
	in->fence = ++r->g->fence;
	in->attempt++;
	in->due_us = 0;
	in->prepared = true;
	in->cancel_sent = false;
	in->started_us = 0;
	in->job->attempt = in->ulid;
	in->job->number = in->attempt;
	in->job->fence = in->fence;
	(void)map_put(r->g->by_attempt, str_from(in->ulid.s), r);
	row.number = in->attempt;
	row.ulid = in->ulid;
	row.fence = in->fence;
	row.state = STATE_RUNNING;
	row.uid_slot = r->has_slot ? r->slot : in->slot;
	row.shared = r->has_slot;
	row.workspace = r->has_slot ? r->row.ulid : in->ulid;
	row.outputs = STR("{}");
	row.error = row.hint = STR("");
	return store_attempt_put(r->g->store, r->row.id, &row, e);
}

/* --- after it: files and the message ------------------------------------ */

static int make_dir(struct run *r, size_t i, int *ret, struct err *e)
{
	char run[64], path[PATHS_MAX];
	int state = r->g->o.state_fd, fd;

	(void)snprintf(run, sizeof(run), "runs/%s", r->row.ulid.s);
	paths_attempt(path, &r->row.ulid, (uint32_t)i,
		      r->plan->instances[i].name, r->inst[i].attempt);
	if ((mkdirat(state, run, 0700) && errno != EEXIST) ||
	    mkdirat(state, path, 0700))
		return err_sys(e, errno, "%s", path);
	fd = openat(state, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || mkdirat(fd, "staging", 0700) ||
	    mkdirat(fd, "files", 0700)) {
		err_sys(e, errno, "%s", path);
		fd_close(&fd);
		return -1;
	}
	*ret = fd;
	return 0;
}

static int lay_files(struct run *r, size_t i, int dir, struct err *e)
{
	const struct job_attempt *a = r->inst[i].job;

	for (size_t k = 0; k < a->n_files; k++) {
		char blob[PATHS_MAX], to[320];

		paths_blob(blob, a->files[k].sha256);
		(void)snprintf(to, sizeof(to), "files/" STR_FMT,
			       STR_ARG(a->files[k].staged));
		if (linkat(r->g->o.state_fd, blob, dir, to, 0))
			return err_sys(e, errno, "files: " STR_FMT,
				       STR_ARG(a->files[k].file));
	}
	return 0;
}

static int open_source(struct run *r, size_t i, struct err *e)
{
	struct hash h;
	int fd;

	if (r->inst[i].job->has_source && r->row.source.len &&
	    !hex_decode(r->row.source, h.b, HASH_LEN))
		return blob_open(r->g->o.state_fd, &h, &fd, e) ? -1 : fd;
	return fd_memfd_sealed("no-source", STR(""), e);
}

/* In the order of enum launch_fd. */
static int open_all(struct run *r, size_t i, int fds[N_LAUNCH_FDS],
		    struct err *e)
{
	static const struct {
		int fd, flags;
		const char *name;
	} files[] = {
		{LAUNCH_LOG,     O_WRONLY | O_APPEND | O_CREAT, "log.data"},
		{LAUNCH_INDEX,   O_WRONLY | O_APPEND | O_CREAT, "log.idx" },
		{LAUNCH_RESULT,  O_WRONLY | O_CREAT,            "result"  },
		{LAUNCH_STAGING, O_RDONLY | O_DIRECTORY,        "staging" },
		{LAUNCH_FILES,   O_RDONLY | O_DIRECTORY,        "files"   },
	};
	CLEANUP_BUF struct buf b = BUF_INIT(ATTEMPT_JSON_MAX);
	CLEANUP_FD int dir = -1;

	if (make_dir(r, i, &dir, e) || lay_files(r, i, dir, e))
		return -1;
	for (size_t k = 0; k < ARRAY_LEN(files); k++) {
		fds[files[k].fd] = openat(dir, files[k].name,
					  files[k].flags | O_CLOEXEC, 0600);
		if (fds[files[k].fd] < 0)
			return err_sys(e, errno, "%s", files[k].name);
	}
	fds[LAUNCH_SOURCE] = open_source(r, i, e);
	if (fds[LAUNCH_SOURCE] < 0)
		return -1;
	if (!job_attempt_encode(r->inst[i].job, &b))
		return err_set(e, ERR_LIMIT, "the task is too large");
	fds[LAUNCH_JOB] = fd_memfd_sealed("job", buf_view(&b), e);
	return fds[LAUNCH_JOB] < 0 ? -1 : 0;
}

static void name_into(char to[GRANT_NAME_MAX + 1], struct str s)
{
	(void)snprintf(to, GRANT_NAME_MAX + 1, STR_FMT, STR_ARG(s));
}

static void fill_group(const struct run *r, size_t i, struct grant *gr)
{
	const struct job_instance *all = r->plan->instances;
	uint8_t index = 0;

	gr->stdin_from = GRANT_NO_STDIN;
	gr->group = r->inst[all[i].group].ulid;
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

static void make_grant(const struct run *r, size_t i, struct grant *gr)
{
	const struct instance *in = &r->inst[i];
	const struct job_attempt *a = in->job;
	struct policy_verdict v;

	memset(gr, 0, sizeof(*gr));
	policy_decide(r->g->o.policies, a, &v);
	gr->attempt = in->ulid;
	gr->fence = in->fence;
	name_into(gr->project, a->project);
	name_into(gr->profile, a->profile);
	(void)!hex_decode(r->row.run_digest, gr->run_digest.b, HASH_LEN);
	gr->policy_digest = r->g->policy_digest;
	for (size_t k = 0; k < a->n_secrets && k < GRANT_REFS_MAX; k++) {
		gr->refs[k].ref =
			hash_sha256(a->secrets[k].ref.p, a->secrets[k].ref.len);
		gr->refs[k].deliver = a->secrets[k].deliver;
		gr->n_refs++;
	}
	gr->workspace_kind = a->workspace_kind;
	gr->uid_slot = r->has_slot ? r->slot : in->slot;
	gr->workspace = r->has_slot ? r->row.ulid : in->ulid;
	gr->network = str_is(a->network, "host") ? NETWORK_HOST : NETWORK_NONE;
	gr->limits = v.limits;
	gr->timeout_us = v.timeout_us ? v.timeout_us : a->timeout_us;
	gr->grace_us = a->grace_us;
	fill_group(r, i, gr);
}

int launch_send(struct run *r, size_t i, struct err *e)
{
	int fds[N_LAUNCH_FDS];
	struct wire_writer w = {.len = 0};
	struct grant gr;
	int bad;

	for (size_t k = 0; k < N_LAUNCH_FDS; k++)
		fds[k] = -1;
	bad = open_all(r, i, fds, e);
	if (!bad && !r->g->monitor)
		bad = err_set(e, ERR_UNAVAILABLE, "the monitor is away");
	if (!bad) {
		make_grant(r, i, &gr);
		grant_encode(&gr, &w);
		bad = chan_post(r->g->monitor, MSG_LAUNCH, &w, fds,
				N_LAUNCH_FDS, e);
	}
	for (size_t k = 0; k < N_LAUNCH_FDS; k++)
		fd_close(&fds[k]);
	job_attempt_free(r->inst[i].job);
	r->inst[i].job = NULL;
	r->inst[i].prepared = false;
	return bad;
}
