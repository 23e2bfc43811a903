/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * `nfo run --secret NAME=store:X|@FILE`: another value for what a job has of a
 * Vault, in the job as it is sent and nowhere else.  A file's content is stored
 * under a name of its own, sealed for the keeper, until the run has ended.
 */
#pragma once

#include "cli/verbs.h"
#include "job/job.h"

#include <signal.h>

struct once {
	char name[JOB_NAME_MAX + 1]; /* in the store of the job's project */
	const char *file;
	bool there;
};

struct run_secrets {
	struct opt_list given;
	struct once once[JOB_SECRETS_MAX];
	size_t n_once;
	bool held; /* interrupts are, since something is there */
	sigset_t before;
};

/*
 * The declarations in j, replaced; what is wrong is said of a place in j or of
 * --secret, never with the text behind a `=`.  j is then only good to be
 * written.
 */
MUST_USE int run_secrets_replace(struct run_secrets *s, struct job *j,
				 struct err *e);
/* Store what comes from files; from now on an interrupt waits for watch_run()
 * or run_secrets_remove().  An exit code, with what went wrong said. */
MUST_USE int run_secrets_put(struct run_secrets *s, const char *project);
/* Remove them again, and say which could not be.  False: one could not. */
bool run_secrets_remove(struct run_secrets *s, const char *project);
