/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What people are asked, and what they said.  Rows follow their task: they are
 * written in the transaction that writes its state.  Text as in store.h.
 */
#pragma once

#include "store/store.h"

enum store_approval_state {
	APPROVAL_OPEN = 1,
	APPROVAL_GRANTED,
	APPROVAL_AUTO, /* nobody had to be asked */
	APPROVAL_REJECTED,
	APPROVAL_EXPIRED,
	APPROVAL_CANCELLED, /* the run ended before it was decided */
	N_APPROVAL_STATES
};

struct store_approval {
	int64_t id; /* grows; made by the store */
	uint32_t index;
	struct str task; /* the instance */
	enum store_approval_state state;
	struct str digest; /* 64 hex digits */
	struct str message;
	struct str named; /* JSON list: who may */
	struct str shown; /* JSON list of {name,file,size,sha256} */
	uint32_t count;
	bool submitter_may;
	int64_t asked_us, expires_us; /* 0: never */
	/* of its run, when read */
	int64_t run;
	struct ulid ulid;
	struct str project, job, submitter, run_digest;
};

struct store_decision {
	uint32_t index;
	struct str person; /* the same for all that is one human being */
	struct str who;    /* the subject: "user:ann" */
	bool approves;
	struct str comment;
	int64_t ts_us;
};

typedef int store_approval_fn(void *ctx, const struct store_approval *a,
			      struct err *e);
typedef int store_decision_fn(void *ctx, const struct store_decision *d,
			      struct err *e);

/* Those of a run are found by index: made, or their state is set. */
MUST_USE int store_approval_put(struct store *s, int64_t run,
				const struct store_approval *a, struct err *e);
/* Once for each person. */
MUST_USE int store_decision_put(struct store *s, int64_t run,
				const struct store_decision *d, struct err *e);
/* Of a run, by task; of all its tasks, oldest first. */
MUST_USE int store_approvals(struct store *s, const struct ulid *run,
			     store_approval_fn *fn, void *ctx, struct err *e);
MUST_USE int store_decisions(struct store *s, int64_t run,
			     store_decision_fn *fn, void *ctx, struct err *e);

struct store_reader;
MUST_USE int store_read_approvals(struct store_reader *r,
				  const struct ulid *run, store_approval_fn *fn,
				  void *ctx, struct err *e);
MUST_USE int store_read_decisions(struct store_reader *r, int64_t run,
				  store_decision_fn *fn, void *ctx,
				  struct err *e);
/* Those that are open, newest first; visible as in a filter; before: an id, 0
 * from the newest. */
MUST_USE int store_read_open_approvals(struct store_reader *r,
				       struct str visible, int64_t before,
				       store_approval_fn *fn, void *ctx,
				       struct err *e);
