/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The words for how an attempt, a task or a run stands; one spelling for the
 * wire, the store and the API. */
#pragma once

#include "base/str.h"

enum run_state {
	STATE_QUEUED,
	STATE_BLOCKED,
	STATE_RUNNING,
	STATE_SUCCEEDED,
	STATE_FAILED,
	STATE_CANCELLED,
	STATE_SKIPPED,
	N_STATES,
};

enum fail_kind {
	KIND_NONE,
	KIND_EXIT,
	KIND_SIGNAL,
	KIND_TIMEOUT,
	KIND_OOM,
	KIND_LIMIT,
	KIND_POLICY,
	KIND_SECRET,
	KIND_LEAK,
	KIND_LOST,
	KIND_REJECTED,
	KIND_EXPIRED,
	KIND_UPSTREAM,
	KIND_HOST,
	KIND_SETUP,
	KIND_OUTPUT,
	KIND_ARTIFACT,
	KIND_INTERNAL,
	N_KINDS,
};

const char *state_name(enum run_state s); /* "queued" */
const char *kind_name(enum fail_kind k);  /* "exit"; NULL for KIND_NONE */
MUST_USE int state_parse(struct str s, enum run_state *ret);
MUST_USE int kind_parse(struct str s, enum fail_kind *ret);
bool state_final(enum run_state s);
