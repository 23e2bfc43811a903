/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Removing workspaces; see spawner_janitor.h. */
#include "role/spawner_janitor.h"
#include "base/fd.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The descriptor may be a path only: one to read is needed. */
static int reopen(int dir_fd)
{
	return openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void remove_one(int work, const char *name)
{
	struct err e;

	if (fd_remove_tree(work, name, &e))
		log_warn("workspace %s: %s", name, e.text);
}

void janitor_sweep(int work_fd)
{
	int fd = reopen(work_fd);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *ent;

	if (!d) {
		log_warn("workspaces: %s", strerror(errno));
		fd_close(&fd);
		return;
	}
	while ((ent = readdir(d)))
		if (strcmp(ent->d_name, ".") && strcmp(ent->d_name, ".."))
			remove_one(fd, ent->d_name);
	(void)closedir(d);
}

static void work_on(int names, int work) NORETURN;

static void work_on(int names, int work)
{
	struct ulid u;

	log_role("janitor");
	(void)prctl(PR_SET_NAME, "nfo-janitor");
	(void)setpriority(PRIO_PROCESS, 0, 5); /* nobody waits for it */
	while (fd_read_full(names, &u, sizeof(u)) == (ssize_t)sizeof(u))
		remove_one(work, u.s);
	_exit(0);
}

/* Only the two; the rest are the spawner's channels and roots. */
static void keep(int names, int work)
{
	int low = names < work ? names : work;
	int high = names < work ? work : names;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) ||
	    (low > 3 && close_range(3, (unsigned)low - 1, 0)) ||
	    (high > low + 1 &&
	     close_range((unsigned)low + 1, (unsigned)high - 1, 0)) ||
	    close_range((unsigned)high + 1, ~0U, 0))
		_exit(1);
}

int janitor_start(struct janitor *j, int work_fd, struct err *e)
{
	CLEANUP_FD int work = reopen(work_fd);
	int p[2];

	if (work < 0 || pipe2(p, O_CLOEXEC))
		return err_sys(e, errno, "workspaces");
	j->pid = fork();
	if (!j->pid) {
		keep(p[0], work);
		work_on(p[0], work);
	}
	fd_close(&p[0]);
	if (j->pid < 0) {
		fd_close(&p[1]);
		return err_sys(e, errno, "fork");
	}
	j->names = p[1];
	j->work = work_fd;
	return 0;
}

void janitor_remove(struct janitor *j, const struct ulid *name)
{
	if (!unlinkat(j->work, name->s, AT_REMOVEDIR) || errno == ENOENT)
		return;
	/* The pipe holds two thousand names; then launches wait, rather than
	 * fill the disk faster than it is emptied. */
	if (fd_write_all(j->names, name, sizeof(*name)))
		log_warn("workspace %s: %s", name->s, strerror(errno));
}

void janitor_finish(struct janitor *j)
{
	fd_close(&j->names);
	while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
