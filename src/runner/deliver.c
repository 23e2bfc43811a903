/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How a secret reaches its task: a file that only the task can read, a sealed
 * memory file as an inherited descriptor or as standard input, or, where
 * policy allows it, a variable.
 */
#include "base/fd.h"
#include "job/job.h"
#include "runner/internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	ENV_VALUE_MAX = 4096
};

static int failed(struct run *r, size_t i, const char *why)
{
	return run_fail(r, KIND_SECRET, "", "secret \"%s\": %s",
			r->given[i].name, why);
}

static int to_file(struct run *r, size_t i, int *fd)
{
	struct secret_view v = secret_bytes(r->given[i].value);

	if (fd_write_all(*fd, v.bytes, v.n_bytes))
		return failed(r, i, strerror(errno));
	fd_close(fd);
	r->given[i].laid = true;
	return 0;
}

/* From its beginning, and nobody can change it. */
static int in_memory(struct run *r, size_t i, int *ret)
{
	struct secret_view v = secret_bytes(r->given[i].value);
	CLEANUP_FD int fd = -1;
	struct err e;

	fd = fd_memfd_sealed("secret", str_n((const char *)v.bytes, v.n_bytes),
			     &e);
	if (fd < 0)
		return failed(r, i, e.text);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return failed(r, i, strerror(errno));
	*ret = fd_take(&fd);
	return 0;
}

static int to_fd(struct run *r, size_t i)
{
	_Static_assert(JOB_SECRET_FDS_MAX <= (int)ARRAY_LEN(r->pass),
		       "what the job's check allows can be passed on");
	if (r->n_pass == ARRAY_LEN(r->pass))
		return failed(r, i, "too many with deliver: fd");
	if (in_memory(r, i, &r->pass[r->n_pass]))
		return -1;
	r->n_pass++;
	return 0;
}

static int to_stdin(struct run *r, size_t i, bool *taken)
{
	int fd;

	if (*taken)
		return failed(r, i, "standard input is taken");
	if (in_memory(r, i, &fd))
		return -1;
	fd_close(&r->fds[FORK_STDIN]);
	r->fds[FORK_STDIN] = fd;
	*taken = true;
	return 0;
}

/* A variable is seen by more than who wants it, and is often printed: no keys
 * of several lines, and nothing large. */
static int fit_for_env(struct run *r, size_t i)
{
	struct secret_view v = secret_bytes(r->given[i].value);

	if (v.n_bytes > ENV_VALUE_MAX)
		return failed(r, i,
			      "over 4 KiB, too large for a variable "
			      "(use deliver: file)");
	for (size_t k = 0; k < v.n_bytes; k++)
		if (!v.bytes[k] || strchr("\n\r", v.bytes[k]))
			return failed(r, i,
				      "of several lines, not fit for a "
				      "variable (use deliver: file)");
	return 0;
}

int deliver_secrets(struct run *r)
{
	bool taken = r->a->stdin_pipe;
	size_t file = 0;

	for (size_t i = 0; i < r->n_given; i++) {
		uint8_t how = r->a->secrets[r->given[i].use].deliver;

		if ((how & DELIVER_FILE &&
		     to_file(r, i, &r->secrets[file++])) ||
		    (how & DELIVER_FD && to_fd(r, i)) ||
		    (how & DELIVER_STDIN && to_stdin(r, i, &taken)) ||
		    (how & DELIVER_ENV && fit_for_env(r, i)))
			return -1;
	}
	for (size_t i = 0; i < r->a->n_templates; i++, file++) {
		if (template_file(r, i, &r->secrets[file]))
			return -1;
		r->n_templates++;
	}
	return 0;
}

size_t deliver_env(const struct run *r, struct job_pair *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_given; i++) {
		const struct job_secret_use *u =
			&r->a->secrets[r->given[i].use];
		struct secret_view v = secret_bytes(r->given[i].value);

		if (u->deliver & DELIVER_ENV)
			ret[n++] = (struct job_pair){
				u->name,
				str_n((const char *)v.bytes, v.n_bytes)};
	}
	return n;
}
