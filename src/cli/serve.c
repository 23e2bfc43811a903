/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo serve`: the same program as the private server, meant to stay. */
#include "cli/connect.h"
#include "cli/verbs.h"
#include "sandbox/delegate.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	ARGS_MAX = 64
};

int verb_serve(int argc, char **argv, const struct verb *v)
{
	struct opt_list listens = {.n = 0}, sockets = {.n = 0};
	const char *policy = NULL, *cgroups = "require";
	bool no_landlock = false;
	const struct opt opts[] = {
		{"listen",            0, OPT_LIST, &listens,     "ADDR:PORT",
		 "TCP on a loopback address, with a bearer token"                                },
		{"socket",            0, OPT_LIST, &sockets,     "PATH",
		 "a Unix socket; the peer's uid is the login"                                    },
		{"policy",            0, OPT_TEXT, &policy,      "DIR",            "policy files"},
		{"cgroups",           0, OPT_TEXT, &cgroups,     "require|prefer",
		 "require (default): no limit goes unenforced; prefer"                           },
		{"allow-no-landlock", 0, OPT_FLAG, &no_landlock, NULL,
		 "go on where the kernel has no Landlock: less keeps the roles apart"            },
	};
	CLEANUP_BUF struct buf state = BUF_INIT(PATH_MAX);
	CLEANUP_BUF struct buf program = BUF_INIT(PATH_MAX);
	char policies[PATH_MAX], socket[PATH_MAX];
	const char *args[ARGS_MAX];
	size_t n, a = 0;
	struct err e;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r || n)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (connect_state_dir(&state, &e) ||
	    connect_program("nfo-monitor", &program, &e) ||
	    (!policy && connect_first_policy(buf_cstr(&state), &e)))
		return cli_fail(&e);
	(void)snprintf(policies, sizeof(policies), "%s/policies",
		       buf_cstr(&state));
	(void)snprintf(socket, sizeof(socket), "%s/run/nfo.sock",
		       buf_cstr(&state));
	if (!sockets.n)
		sockets.items[sockets.n++] = socket;
	args[a++] = buf_cstr(&program);
	args[a++] = "--state";
	args[a++] = buf_cstr(&state);
	args[a++] = "--policy";
	args[a++] = policy ? policy : policies;
	args[a++] = "--cgroups";
	args[a++] = cgroups;
	for (size_t i = 0; i < sockets.n && a + 3 < ARGS_MAX; i++) {
		args[a++] = "--socket";
		args[a++] = sockets.items[i];
	}
	for (size_t i = 0; i < listens.n && a + 3 < ARGS_MAX; i++) {
		args[a++] = "--listen";
		args[a++] = listens.items[i];
	}
	if (no_landlock)
		args[a++] = "--allow-no-landlock";
	args[a] = NULL;
	sandbox_delegate_exec((char *const *)(uintptr_t)args);
	execv(args[0], (char *const *)(uintptr_t)args);
	err_set(&e, ERR_INTERNAL, "%s could not be started", args[0]);
	return cli_fail(&e);
}
