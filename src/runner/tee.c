/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Raw copies of standard output; see tee.h. */
#include "runner/tee.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

void tee_begin(struct tee *t, struct run *r)
{
	bool watch = r->n_readers || r->a->stdout_artifact.len;

	*t = (struct tee){.r = r, .artifact = -1};
	look_begin(&t->look, watch ? &r->mask : NULL);
	if (!r->a->stdout_artifact.len)
		look_only_raw(&t->look);
	for (size_t i = 0; i < FORK_READERS_MAX; i++) {
		int fd = i < r->n_readers ? r->fds[FORK_READERS + i] : -1;

		t->readers[i].fd =
			fd >= 0 && !fd_set_nonblock(fd, true) ? fd : -1;
	}
	if (r->a->stdout_artifact.len)
		t->artifact = openat(r->fds[LAUNCH_STAGING], "stdout",
				     O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
					     O_NOFOLLOW,
				     0640);
}

void tee_finish(struct tee *t)
{
	look_done(&t->look);
	for (size_t i = 0; i < t->r->n_readers; i++)
		t->r->fds[FORK_READERS + i] = t->readers[i].fd;
	fd_close(&t->artifact);
}

int tee_leak(struct tee *t, const char *p, size_t len)
{
	struct err e;

	if ((t->r->n_readers || t->artifact >= 0) &&
	    look_write(&t->look, p, len, &e) < 0) {
		run_fail(t->r, KIND_LEAK, "",
			 "the artifact of stdout cannot be looked through: %s",
			 e.text);
		fd_close(&t->artifact);
		look_only_raw(&t->look);
	}
	return t->look.secret;
}

void tee_keep(struct tee *t, const char *p, size_t len)
{
	const char *why = NULL;

	if (t->artifact < 0)
		return;
	t->artifact_bytes += len;
	if (t->artifact_bytes > RUNNER_ARTIFACT_MAX)
		why = "it is too large";
	else if (fd_write_all(t->artifact, p, len))
		why = strerror(errno);
	if (!why)
		return;
	run_fail(t->r, KIND_ARTIFACT, "", "artifact of stdout: %s", why);
	fd_close(&t->artifact);
}

bool tee_pending(const struct tee *t)
{
	for (size_t i = 0; i < t->r->n_readers; i++)
		if (t->readers[i].fd >= 0 && t->readers[i].at < t->len)
			return true;
	return false;
}

void tee_push(struct tee *t)
{
	for (size_t i = 0; i < t->r->n_readers; i++) {
		int *fd = &t->readers[i].fd;
		size_t *at = &t->readers[i].at;

		while (*fd >= 0 && *at < t->len) {
			ssize_t n = fd_write(*fd, t->block + *at, t->len - *at);

			if (n < 0 && errno == EAGAIN)
				break;
			if (n < 0)
				fd_close(fd);
			else
				*at += (size_t)n;
		}
	}
	if (!tee_pending(t))
		t->len = 0;
}

void tee_send(struct tee *t, const char *p, size_t len)
{
	if (!t->r->n_readers)
		return;
	t->block = p;
	t->len = len;
	for (size_t i = 0; i < t->r->n_readers; i++)
		t->readers[i].at = 0;
	tee_push(t);
}

void tee_poll(const struct tee *t, struct pollfd p[FORK_READERS_MAX])
{
	for (size_t i = 0; i < FORK_READERS_MAX; i++)
		p[i] = (struct pollfd){
			.fd = t->readers[i].at < t->len ? t->readers[i].fd : -1,
			.events = POLLOUT};
}
