/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * nfo: what needs to start fast is in here, everything else is the program
 * nfo-client beside it (which links an HTTP client).
 */
#include "sandbox/sandbox.h"

#include "base/attr.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{"sandbox", sandbox_command       },
	{"doctor",  sandbox_doctor_command},
};

/* The client lies beside this program, or in ../libexec/nfo. */
static int exec_client(char **argv)
{
	static const char *const places[] = {"", "../libexec/nfo/"};
	char self[PATH_MAX], path[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n <= 0)
		return 125;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		(void)snprintf(path, sizeof(path), "%s/%snfo-client", self,
			       places[i]);
		execv(path, argv);
	}
	fprintf(stderr, "nfo: nfo-client is missing beside %s: %s\n", self,
		strerror(errno));
	return 125;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	return exec_client(argv);
}
