/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The examination; see doctor.h. */
#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/doctor_own.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHECK_SECONDS = 20
};

/* What the process of one check says, once. */
struct answer {
	bool before; /* the space was refused, not the check */
	int verdict, sys;
	char detail[DOCTOR_DETAIL_MAX + 1];
};

static int enter(enum doctor_space space)
{
	uint32_t uid = geteuid(), gid = getegid();

	if (space >= SPACE_USER && uid &&
	    (unshare(CLONE_NEWUSER) || doctor_map_ids(uid, gid)))
		return -1;
	if (space >= SPACE_MOUNTS &&
	    (unshare(CLONE_NEWNS) ||
	     mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)))
		return -1;
	return space >= SPACE_PIDS ? unshare(CLONE_NEWPID) : 0;
}

static void answer_of(const struct doctor_check *c, struct answer *a)
{
	errno = 0;
	a->verdict = c->run(a->detail);
	a->sys = a->verdict < 0 ? errno : 0;
	if (a->verdict < 0)
		a->verdict = (int)c->otherwise;
}

static void check_main(const struct doctor_check *c, int out) NORETURN;

static void check_main(const struct doctor_check *c, int out)
{
	struct answer a = {.before = true};
	pid_t pid;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)alarm(CHECK_SECONDS);
	if (enter(c->space)) {
		a.sys = errno;
	} else if (c->space == SPACE_PIDS && (pid = fork())) {
		int status;

		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			_exit(1);
		_exit(0); /* PID 1 has answered */
	} else {
		a.before = false;
		answer_of(c, &a);
	}
	_exit(fd_write_all(out, &a, sizeof(a)) ? 1 : 0);
}

static void conclude(const struct doctor_check *c, const struct answer *a,
		     bool answered, int status, struct doctor_step *s)
{
	if (answered && !a->before) {
		s->verdict = (enum doctor_verdict)a->verdict;
		s->sys = a->sys;
		memcpy(s->detail, a->detail, sizeof(s->detail));
		s->detail[DOCTOR_DETAIL_MAX] = '\0';
		return;
	}
	s->verdict = answered ? DOCTOR_SKIPPED : c->otherwise;
	s->sys = answered ? a->sys : 0;
	if (answered)
		(void)snprintf(s->detail, sizeof(s->detail),
			       "it stands on a step that was refused");
	else if (WIFSIGNALED(status))
		(void)snprintf(s->detail, sizeof(s->detail),
			       "killed by signal %d", WTERMSIG(status));
	else
		(void)snprintf(s->detail, sizeof(s->detail), "it ended early");
}

static int examine(const struct doctor_check *c, struct doctor_step *s,
		   struct err *e)
{
	struct answer a = {.verdict = 0};
	int pipefd[2], status = 0;
	bool answered;
	pid_t pid;

	*s = (struct doctor_step){.name = c->name, .purpose = c->purpose};
	if (pipe2(pipefd, O_CLOEXEC))
		return err_sys(e, errno, "pipe");
	pid = fork();
	if (pid < 0) {
		fd_close(&pipefd[0]);
		fd_close(&pipefd[1]);
		return err_sys(e, errno, "fork");
	}
	if (!pid)
		check_main(c, pipefd[1]);
	fd_close(&pipefd[1]);
	answered = fd_read_full(pipefd[0], &a, sizeof(a)) == sizeof(a);
	fd_close(&pipefd[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	conclude(c, &a, answered, status, s);
	return 0;
}

int doctor_examine(struct doctor_report *ret, struct err *e)
{
	struct doctor_facts facts;
	bool rootless = geteuid() != 0;

	*ret = (struct doctor_report){.rootless = rootless};
	doctor_look_around(&facts);
	(void)fflush(NULL);
	for (size_t i = 0; i < doctor_n_checks; i++) {
		const struct doctor_check *c = &doctor_checks[i];
		struct doctor_step *s = &ret->steps[ret->n_steps];

		if (c->rootless_only && !rootless)
			continue;
		if (ret->n_steps == DOCTOR_STEPS_MAX)
			break;
		if (examine(c, s, e))
			return -1;
		doctor_explain(&facts, s);
		ret->n_steps++;
	}
	/* The last is the whole. */
	ret->usable = ret->n_steps &&
		      ret->steps[ret->n_steps - 1].verdict == DOCTOR_OK;
	return 0;
}
