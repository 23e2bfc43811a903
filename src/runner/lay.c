/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Asking the spawner for a sandbox and laying in what the task needs: script,
 * secrets (straight into a file only the task can read), source, files.
 */
#include "base/fd.h"
#include "base/tar.h"
#include "runner/internal.h"
#include "sandbox/ctl.h"
#include "secrets/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PIPE_LEN = 1 << 20
};

/* --- the sandbox -------------------------------------------------------- */

static int refused(struct run *r, struct chan_msg *msg)
{
	struct wire_reader w = wire_reader(msg->body, msg->body_len);
	struct str step = wire_get_str(&w, 64);
	uint32_t sys = wire_get_u32(&w);
	struct str text = wire_get_str(&w, ERR_TEXT_MAX);
	uint8_t kind = wire_get_u8(&w);

	(void)sys;
	return run_fail(
		r, kind && kind < N_KINDS ? (enum fail_kind)kind : KIND_SETUP,
		"`nfo doctor` tells what this machine can do",
		"sandbox: " STR_FMT "%s" STR_FMT, STR_ARG(step),
		step.len ? ": " : "", STR_ARG(text));
}

/* The descriptors come in as many messages as they need. */
static int take_made(struct run *r, size_t n_secrets)
{
	static unsigned char room[WIRE_MAX + 2];
	size_t want = 2 + n_secrets, got = 0;
	struct chan_msg msg;
	struct err e;

	while (got < want) {
		if (chan_recv(r->fds[FORK_SPAWNER], room, &msg, &e) <= 0)
			return run_fail(r, KIND_LOST, "",
					"the spawner is away");
		if (msg.type == MSG_MAKE_NO) {
			refused(r, &msg);
			chan_msg_done(&msg);
			return -1;
		}
		if (msg.type != MSG_MADE || !msg.n_fds)
			return run_fail(r, KIND_INTERNAL, "",
					"the spawner's answer is malformed");
		for (size_t i = 0; i < msg.n_fds && got < want; i++, got++) {
			int fd = chan_msg_take(&msg, i);

			if (got == 0)
				r->ctl = fd;
			else if (got == 1)
				r->script = fd;
			else
				r->secrets[got - 2] = fd;
		}
		chan_msg_done(&msg);
	}
	return 0;
}

static int add_file(struct run *r, struct make *make, struct str name)
{
	if (make->n_secrets == MAKE_SECRETS_MAX)
		return run_fail(r, KIND_SECRET, "name `field`s",
				"more than %d files of secrets",
				MAKE_SECRETS_MAX);
	if (name.len > MAKE_SECRET_NAME_MAX)
		return run_fail(r, KIND_SECRET, "name `field`s",
				"secret \"" STR_FMT
				"\": over %d bytes are no name of a file",
				STR_ARG(name), MAKE_SECRET_NAME_MAX);
	memcpy(make->secrets[make->n_secrets++], name.p, name.len);
	return 0;
}

/* In the order in which they are written. */
static int add_files(struct run *r, struct make *make)
{
	for (size_t i = 0; i < r->n_given; i++) {
		const struct given *g = &r->given[i];

		if (r->a->secrets[g->use].deliver & DELIVER_FILE &&
		    add_file(r, make, str_from(g->name)))
			return -1;
	}
	for (size_t i = 0; i < r->a->n_templates; i++)
		if (add_file(r, make, r->a->templates[i].file))
			return -1;
	return 0;
}

static int ask_for_sandbox(struct run *r)
{
	struct wire_writer w = {.len = 0};
	static struct make make;
	struct err e;

	memset(&make, 0, sizeof(make));
	if (add_files(r, &make))
		return -1;
	make_encode(&make, &w);
	if (chan_send(r->fds[FORK_SPAWNER], MSG_MAKE, &w, NULL, 0, &e) <= 0)
		return run_fail(r, KIND_LOST, "", "the spawner: %s", e.text);
	return take_made(r, make.n_secrets);
}

/* --- files and source --------------------------------------------------- */

static int send_file(int to, int from, uint64_t size)
{
	while (size) {
		ssize_t n = sendfile(to, from, NULL,
				     size < (1 << 30) ? (size_t)size : 1 << 30);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		size -= (uint64_t)n;
	}
	return 0;
}

static int write_out(void *ctx, const void *p, size_t len, struct err *e)
{
	return fd_write_all(*(int *)ctx, p, len) ? err_sys(e, errno, "files") :
						   0;
}

/* What another task of the run sealed; errno as of a file that is broken. */
static int open_private(struct run *r, int to, int from)
{
	struct err e;

	if (!private_open(from, r->run_key, str_from(r->g->who.run.s),
			  write_out, &to, &e))
		return 0;
	errno = e.sys ? e.sys : EBADMSG;
	return -1;
}

/* A tar of the staged files, TASK/FILE each. */
static int pack_file(struct run *r, const struct job_file *f, int to)
{
	char staged[256], path[600];
	CLEANUP_BUF struct buf head = BUF_INIT(8192), pad = BUF_INIT(1024);
	CLEANUP_FD int fd = -1;
	struct tar_entry t = {.type = TAR_FILE, .mode = 0444};
	struct stat st;
	struct err e;

	(void)snprintf(staged, sizeof(staged), STR_FMT, STR_ARG(f->staged));
	(void)snprintf(path, sizeof(path), STR_FMT "/" STR_FMT,
		       STR_ARG(f->task), STR_ARG(f->file));
	fd = fd_open_beneath(r->fds[LAUNCH_FILES], staged, O_RDONLY, 0);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return -1;
	t.path = str_from(path);
	t.size = (uint64_t)st.st_size;
	if (f->is_private && private_length(t.size, &t.size, &e)) {
		errno = EBADMSG;
		return -1;
	}
	tar_header(&head, &t);
	tar_pad(&pad, t.size);
	return fd_write_all(to, head.data, head.len) ||
			       (f->is_private ? open_private(r, to, fd) :
						send_file(to, fd, t.size)) ||
			       fd_write_all(to, pad.data, pad.len) ?
		       -1 :
		       0;
}

/* Packed as a whole first: what a task is given counts as memory for the time
 * of its laying in. */
static int lay_files(struct run *r)
{
	CLEANUP_FD int memfd = -1;
	CLEANUP_BUF struct buf end = BUF_INIT(4096);
	struct err e;

	if (!r->a->n_files)
		return 0;
	memfd = (int)memfd_create("files", MFD_CLOEXEC);
	if (memfd < 0)
		return run_fail(r, KIND_SETUP, "", "files: %s",
				strerror(errno));
	for (size_t i = 0; i < r->a->n_files; i++)
		if (pack_file(r, &r->a->files[i], memfd))
			return run_fail(r, KIND_SETUP, "",
					"file " STR_FMT "." STR_FMT ": %s",
					STR_ARG(r->a->files[i].task),
					STR_ARG(r->a->files[i].file),
					strerror(errno));
	tar_end(&end);
	if (fd_write_all(memfd, end.data, end.len) ||
	    lseek(memfd, 0, SEEK_SET) < 0)
		return run_fail(r, KIND_SETUP, "", "files: %s",
				strerror(errno));
	if (ctl_unpack(r->ctl, ".nfo/files", true, memfd, &e))
		return run_fail(r, KIND_SETUP, "", "files: %s", e.text);
	return 0;
}

static int lay_source(struct run *r)
{
	struct err e;

	if (!r->a->has_source)
		return 0;
	if (ctl_unpack(r->ctl, "", false, r->fds[LAUNCH_SOURCE], &e))
		return run_fail(r, KIND_SETUP, "", "%s", e.text);
	return 0;
}

static int make_exec(struct run *r)
{
	struct job_pair env[GRANT_REFS_MAX];
	size_t n = deliver_env(r, env);
	struct err e;

	if (runner_exec_make(r->a, r->host->agent, env, n, &r->exec, &e))
		return run_fail(r, KIND_SETUP, "", "%s", e.text);
	return 0;
}

int lay_sandbox(struct run *r)
{
	if (ask_for_sandbox(r) || deliver_secrets(r) || lay_source(r))
		return -1;
	cache_restore(r);
	if (lay_files(r) || make_exec(r))
		return -1;
	if (r->a->has_script &&
	    fd_write_all(r->script, r->a->script.p, r->a->script.len))
		return run_fail(r, KIND_SETUP, "", "the script: %s",
				strerror(errno));
	fd_close(&r->script); /* a file open for writing cannot be executed */
	return 0;
}

/* --- go ----------------------------------------------------------------- */

static int make_pipe(int *ret_read, int *ret_write)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		return -1;
	(void)fcntl(p[0], F_SETPIPE_SZ, PIPE_LEN); /* worth 2x */
	if (fd_set_nonblock(p[0], true))
		return -1;
	*ret_read = p[0];
	*ret_write = p[1];
	return 0;
}

int lay_go(struct run *r)
{
	CLEANUP_FD int out = -1, err = -1;
	int stdio[3], bad;
	struct err e;

	if (make_pipe(&r->out[0], &out) || make_pipe(&r->out[1], &err))
		return run_fail(r, KIND_INTERNAL, "", "pipe: %s",
				strerror(errno));
	stdio[0] = r->fds[FORK_STDIN];
	stdio[1] = out;
	stdio[2] = err;
	bad = ctl_go_pass(r->ctl, r->exec.argv, r->exec.env, stdio, r->pass,
			  r->n_pass, &e);
	runner_exec_done(&r->exec);
	fd_close(&r->fds[FORK_STDIN]);
	while (r->n_pass)
		fd_close(&r->pass[--r->n_pass]);
	return bad ? run_fail(r, KIND_LOST, "", "go: %s", e.text) : 0;
}

void lay_kill(struct run *r)
{
	struct err e;

	(void)!chan_send(r->fds[FORK_SPAWNER], MSG_KILL, NULL, NULL, 0, &e);
}

void lay_end(struct run *r)
{
	struct err e;

	fd_close(&r->ctl);
	(void)!chan_send(r->fds[FORK_SPAWNER], MSG_REAP, NULL, NULL, 0, &e);
}

void lay_reap(struct run *r)
{
	static unsigned char room[WIRE_MAX + 2];
	struct wire_reader w;
	struct chan_msg msg;
	struct err e;

	if (chan_recv(r->fds[FORK_SPAWNER], room, &msg, &e) <= 0) {
		r->no_usage = true;
		return;
	}
	w = wire_reader(msg.body, msg.body_len);
	if (msg.type == MSG_USAGE)
		(void)!usage_decode(&w, &r->result.usage);
	chan_msg_done(&msg);
}
