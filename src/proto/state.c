/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The words of states and kinds; see state.h. */
#include "proto/state.h"

static const char *const states[N_STATES] = {
	[STATE_QUEUED] = "queued",   [STATE_BLOCKED] = "blocked",
	[STATE_RUNNING] = "running", [STATE_SUCCEEDED] = "succeeded",
	[STATE_FAILED] = "failed",   [STATE_CANCELLED] = "cancelled",
	[STATE_SKIPPED] = "skipped",
};

static const char *const kinds[N_KINDS] = {
	[KIND_EXIT] = "exit",         [KIND_SIGNAL] = "signal",
	[KIND_TIMEOUT] = "timeout",   [KIND_OOM] = "oom",
	[KIND_LIMIT] = "limit",       [KIND_POLICY] = "policy",
	[KIND_SECRET] = "secret",     [KIND_LEAK] = "leak",
	[KIND_LOST] = "lost",         [KIND_REJECTED] = "rejected",
	[KIND_EXPIRED] = "expired",   [KIND_UPSTREAM] = "upstream",
	[KIND_HOST] = "host",         [KIND_SETUP] = "setup",
	[KIND_OUTPUT] = "output",     [KIND_ARTIFACT] = "artifact",
	[KIND_INTERNAL] = "internal",
};

const char *state_name(enum run_state s)
{
	return s < N_STATES ? states[s] : "unknown";
}

const char *kind_name(enum fail_kind k)
{
	return k < N_KINDS ? kinds[k] : NULL;
}

int state_parse(struct str s, enum run_state *ret)
{
	for (unsigned i = 0; i < N_STATES; i++)
		if (str_is(s, states[i])) {
			*ret = (enum run_state)i;
			return 0;
		}
	return -1;
}

int kind_parse(struct str s, enum fail_kind *ret)
{
	for (unsigned i = 1; i < N_KINDS; i++)
		if (str_is(s, kinds[i])) {
			*ret = (enum fail_kind)i;
			return 0;
		}
	return -1;
}

bool state_final(enum run_state s)
{
	return s >= STATE_SUCCEEDED;
}
