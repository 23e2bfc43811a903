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

void sandbox_delegate(char *const *args)
{
	static const char *const front[] = {
		"systemd-run", "--user",         "--scope", "--quiet",
		"--collect",   "-pDelegate=yes", "--",
	};
	const size_t n_front = ARRAY_LEN(front);
	char self[PATH_MAX];
	size_t n = 0;
	char **line;
	ssize_t len;

	if (!geteuid() || getenv(MARK) ||
	    access("/sys/fs/cgroup/cgroup.controllers", F_OK) ||
	    !has_user_systemd() || may_limit())
		return;
	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len <= 0 || setenv(MARK, "1", 1))
		return;
	self[len] = '\0';
	while (args[n])
		n++;
	line = mem_array(n_front + n + 2, sizeof(*line));
	for (size_t i = 0; i < n_front; i++)
		line[i] = (char *)(uintptr_t)front[i];
	line[n_front] = self;
	memcpy(line + n_front + 1, args, n * sizeof(*line));
	execvp(line[0], line);
	mem_free(line);
}
