/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How one attempt ended: written by the runner as JSON into `result` beside
 * the log and synced before it says ENDED, read by the server.  The server
 * trusts none of it: lengths and counts are bounded, hashes are made again.
 */
#pragma once

#include "base/redacted.h"
#include "job/attempt.h"
#include "proto/edges.h"

enum {
	RESULT_JSON_MAX = 8 << 20,
	RESULT_LIST_MAX = 256
};

struct job_result_artifact {
	struct str name;          /* as declared */
	struct str staged;        /* file name in the staging directory */
	struct redacted_str file; /* file name to offer, e.g. app.tgz */
	uint64_t size;
	char sha256[HASH_HEX_LEN + 1];
};

struct job_result_output {
	struct str name;
	struct redacted_str value; /* the text that the task wrote */
};

/* A secret of the task that was seen in what it wrote. */
struct job_result_secret {
	struct str name;
	uint64_t seen;   /* times */
	uint64_t joined; /* of those, only in both streams read as one */
};

struct job_result {
	struct arena *arena;
	struct attempt_id id;
	enum run_state state;
	enum fail_kind kind;
	int32_t exit_code; /* -1: none */
	uint8_t signo;
	int64_t started_us, finished_us; /* real time; started 0: never ran */
	struct usage usage;
	struct job_result_output *outputs;
	size_t n_outputs;
	struct job_result_artifact *artifacts;
	size_t n_artifacts;
	struct job_result_secret *secrets;
	size_t n_secrets;
	uint64_t log_bytes, redactions;
	bool log_truncated;
	/* KIND_SECRET, and whoever has it was away: not this task's fault, it
	 * may be had later */
	bool secrets_away;
	struct redacted_str error; /* "" when all went well */
	struct redacted_str hint;
};

bool job_result_encode(const struct job_result *r, struct buf *b);
MUST_USE int job_result_decode(struct str json, struct job_result **ret,
			       struct err *e);
void job_result_free(struct job_result *r);
