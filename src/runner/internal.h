/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One attempt in the making: what the steps of the runner share. */
#pragma once

#include "job/result.h"
#include "job/template.h"
#include "runner/env.h"
#include "runner/logfile.h"
#include "runner/mask.h"
#include "runner/runner.h"
#include "sandbox/ctl.h"

/* Bytes of one artifact, whatever the job says. */
#define RUNNER_ARTIFACT_MAX ((uint64_t)10 << 30)

enum {
	RUN_GIVEN_MAX = 128 /* values of secrets, fields counted one by one */
};

/* One value that the task is given: a secret, or a field of one. */
struct given {
	size_t use; /* of the attempt's secrets */
	bool field; /* one of several: its file is NAME/FIELD */
	char *name; /* "NAME" or "NAME/FIELD" */
	struct secret *value;
	bool laid; /* in its file, where new values are to come */
};

struct run {
	const struct runner_host *host;
	const struct grant *g;
	int *fds; /* enum launch_fd, enum fork_fd */
	size_t n_readers;
	struct job_attempt *a;
	struct policy_verdict verdict;
	struct job_result result;
	struct logfile log;

	/* secrets (fetch.c) */
	struct given given[RUN_GIVEN_MAX]; /* in the order of the job */
	size_t n_given;
	struct mask mask;
	int templates[TEMPLATES_MAX]; /* files that are written anew; else -1 */
	size_t n_templates;           /* that have been written */
	struct secret *run_key;       /* of private files; NULL: none are */

	/* the sandbox (lay.c) */
	int ctl, script, secrets[GRANT_REFS_MAX];
	struct runner_exec exec;
	int pass[CTL_PASS_MAX]; /* secrets that the task inherits */
	size_t n_pass;

	/* while it runs (capture.c) */
	int out[2]; /* read ends: stdout, stderr */
	bool started, exited, cancelled, timed_out, leaked, disk_full;
	bool no_usage;              /* the spawner did not tell it */
	enum fail_kind cancel_kind; /* KIND_NONE: somebody cancelled it */
	int status;                 /* of wait(2) */
	uint64_t cpu_us;

	/* of files that were kept (collect.c) */
	struct job_result_artifact artifacts[RESULT_LIST_MAX];
	struct job_result_output outputs[RESULT_LIST_MAX];
	struct job_result_secret seen[GRANT_REFS_MAX];
};

/* Record how it failed, once: the first is the reason.  Returns -1. */
int run_fail(struct run *r, enum fail_kind kind, const char *hint,
	     const char *fmt, ...) PRINTF_LIKE(4, 5);

/* A line of ours in the log, redacted like all others. */
void run_say(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* fetch.c: every secret from the keeper; then the redactor. */
MUST_USE int fetch_secrets(struct run *r);
/* More values of the task's secrets, at any time: masked from now on in all
 * that is open.  Say which are not masked in full. */
MUST_USE int fetch_mask(struct run *r, const struct mask_value *v, size_t n,
			struct err *e);
/* While the task runs: a message of the keeper's, which is a new value of a
 * secret with `refresh`.  From then on both are masked; then it is written into
 * the file.  -1: the keeper is gone, and nothing new will come. */
int fetch_news(struct run *r);
void fetch_done(struct run *r);
/* Text that may hold a secret, made fit to be stored; in r's arena. */
struct redacted_str fetch_clean(struct run *r, struct str s);

/* lay.c: a sandbox, and everything the task needs in it. */
MUST_USE int lay_sandbox(struct run *r);
MUST_USE int lay_go(struct run *r);
/* SIGKILL to all of it; ask for its end; wait for that, and what it used. */
void lay_kill(struct run *r);
void lay_end(struct run *r);
void lay_reap(struct run *r);

/* deliver.c: each secret the way that job and policy say.  Files into the
 * sandbox at once; descriptors and standard input wait in r for GO, and of
 * those for the environment it is seen to that they are fit for it. */
MUST_USE int deliver_secrets(struct run *r);
/* Those for the environment; room for GRANT_REFS_MAX, borrowed from r. */
size_t deliver_env(const struct run *r, struct job_pair *ret);

/* template.c: what the i-th template becomes, into its file; *fd is closed, or
 * kept where new values come. */
MUST_USE int template_file(struct run *r, size_t i, int *fd);
/* A secret has a new value. */
void template_anew(struct run *r, size_t secret);

/* capture.c: until the task has ended and both streams are at their end. */
void capture(struct run *r);

/* cache.c: laid in before GO, packed after the end. */
void cache_restore(struct run *r);
void cache_save(struct run *r);

/* collect.c: outputs and artifacts, after the task is dead. */
void collect(struct run *r);
