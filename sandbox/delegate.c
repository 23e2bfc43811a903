/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* See delegate.h. */
#include "sandbox/delegate.h"
#include "base/mem.h"
#include "sandbox/cgroup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Set for the second time, so that there is no third. */
#define MARK "NFO_DELEGATED"

/* systemd-run --user talks to the user's own bus. */
static bool has_user_systemd(void)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	char path[PATH_MAX];

	if (access("/run/systemd/system", F_OK) || !dir)
		return false;
	(void)snprintf(path, sizeof(path), "%s/systemd/private", dir);
	return !access(path, W_OK);
}

static bool may_limit(void)
{
	struct cgroups *c;
	struct err e;

	if (cgroups_new(CGROUPS_REQUIRE, &c, &e))
		return false;
	cgroups_free(c);
	return true;
}

static bool needed(void)
{
	return geteuid() && !getenv(MARK) &&
	       !access("/sys/fs/cgroup/cgroup.controllers", F_OK) &&
	       has_user_systemd() && !may_limit();
}

void sandbox_delegate_exec(char *const *argv)
{
	static const char *const front[] = {
		"systemd-run", "--user",         "--scope", "--quiet",
		"--collect",   "-pDelegate=yes", "--",
	};
	const size_t n_front = ARRAY_LEN(front);
	size_t n = 0;
	char **line;

	if (!needed() || setenv(MARK, "1", 1))
		return;
	while (argv[n])
		n++;
	line = mem_array(n_front + n + 1, sizeof(*line));
	for (size_t i = 0; i < n_front; i++)
		line[i] = (char *)(uintptr_t)front[i];
	memcpy(line + n_front, argv, n * sizeof(*line));
	execvp(line[0], line);
	mem_free(line);
}

void sandbox_delegate(char *const *args)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t n = 0;
	char **argv;

	if (len <= 0)
		return;
	self[len] = '\0';
	while (args[n])
		n++;
	argv = mem_array(n + 2, sizeof(*argv));
	argv[0] = self;
	memcpy(argv + 1, args, n * sizeof(*argv));
	sandbox_delegate_exec(argv);
	mem_free(argv);
}
