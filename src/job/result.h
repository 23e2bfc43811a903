/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How one attempt ended: written by the runner as JSON into `result` beside
 * the log and synced before it says ENDED, read by the server.  The server
 * trusts none of it: lengths and counts are bounded, hashes are made again.
 */
#pragma once

#include "job/attempt.h"
#include "proto/edges.h"

enum {
	RESULT_JSON_MAX = 8 << 20,
	RESULT_LIST_MAX = 256
};

struct job_result_artifact {
	struct str name;   /* as declared */
	struct str staged; /* file name in the staging directory */
	struct str file;   /* file name to offer, e.g. app.tgz */
	uint64_t size;
	char sha256[HASH_HEX_LEN + 1];
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
	struct job_pair *outputs; /* value as JSON text */
	size_t n_outputs;
	struct job_result_artifact *artifacts;
	size_t n_artifacts;
	uint64_t log_bytes, redactions;
	bool log_truncated;
	/* KIND_SECRET, and whoever has it was away: not this task's fault, it
	 * may be had later */
	bool secrets_away;
	struct str error; /* redacted; "" when all went well */
	struct str hint;
};

bool job_result_encode(const struct job_result *r, struct buf *b);
MUST_USE int job_result_decode(struct str json, struct job_result **ret,
			       struct err *e);
void job_result_free(struct job_result *r);
