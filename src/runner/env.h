/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The environment and argv of a task: exactly what JOBS.md 2.2 lists, nothing
 * inherited.  Pure. */
#pragma once

#include "job/attempt.h"

/* Where things are inside the sandbox. */
#define RUNNER_WORK    "/work"
#define RUNNER_CONTROL "/run/nfo"
#define RUNNER_SCRIPT  RUNNER_CONTROL "/script"
#define RUNNER_OUTPUT  RUNNER_CONTROL "/outputs"
#define RUNNER_SECRETS RUNNER_CONTROL "/secrets"
#define RUNNER_FILES   RUNNER_WORK "/.nfo/files"

/* NULL-terminated, all of it in one arena. */
struct runner_exec {
	struct arena *arena;
	char **argv, **env;
	size_t n_argv, n_env;
};

enum {
	RUNNER_EXEC_MAX = 1 << 20, /* bytes of argv and environment */
	RUNNER_FD_FIRST = 3        /* of the secrets with DELIVER_FD */
};

/*
 * secret_env: values of secrets with DELIVER_ENV, as NAME (upper case, '-'
 * becomes '_') and value; they end up in the environment only because job and
 * policy say so.  The n-th secret with DELIVER_FD is the descriptor
 * RUNNER_FD_FIRST + n, and NFO_SECRET_FD_NAME says so.  ERR_LIMIT past
 * RUNNER_EXEC_MAX, ERR_INVALID for a NUL or a name that two sources claim.
 */
MUST_USE int runner_exec_make(const struct job_attempt *a, const char *agent,
			      const struct job_pair *secret_env,
			      size_t n_secret_env, struct runner_exec *ret,
			      struct err *e);
void runner_exec_done(struct runner_exec *x); /* wipes */
