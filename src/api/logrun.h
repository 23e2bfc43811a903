/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The log of a whole run: the frames of all attempts in the order of their
 * times, also of those that are made while it is read.  Files are open only
 * while something is read, so that a follower that sleeps costs none.
 */
#pragma once

#include "api/logpos.h"
#include "api/logview.h"

struct logpart {
	struct logview v;
	uint64_t fence; /* attempts in the order of being made */
	int64_t started_us;
	bool over;                   /* its last frame was given */
	bool dry;                    /* there was none, in this turn */
	struct logwatch_item *watch; /* for who follows it */
};

struct logrun {
	struct ulid run;
	int64_t id; /* of the store */
	enum run_state state;
	enum fail_kind kind;
	bool gone; /* no longer kept */
	struct logpart **parts;
	size_t n, cap;
	size_t first; /* all before it are over */
	size_t begun; /* of those from here on nothing was given */
	char **names; /* of tasks, by index */
	size_t n_names;
	struct logpos from; /* where a follower has got to already */
};

void logrun_init(struct logrun *l);
void logrun_done(struct logrun *l);
/* ERR_NOT_FOUND: no such run. */
MUST_USE int logrun_find(struct logrun *l, struct store_reader *reader,
			 const struct ulid *run, struct err *e);
/* What was made, and what has ended, since. */
MUST_USE int logrun_refresh(struct logrun *l, struct store_reader *reader,
			    struct err *e);
/* Whose frame is next, opened, and what it is: 1; 0: nothing more now; -1. */
MUST_USE int logrun_peek(struct logrun *l, int state_fd, struct logpart **ret,
			 struct logidx_rec *rec, struct err *e);
/* One of its frames was taken (logview_take). */
void logrun_took(struct logrun *l, struct logpart *p);
/* Has the run ended, and was all of it given? */
bool logrun_over(const struct logrun *l);
/* Is an attempt under way whose log is not there yet? */
bool logrun_awaits(const struct logrun *l);
/* Look again into those where there was nothing. */
void logrun_again(struct logrun *l);
/* The turn is over: no file stays open. */
void logrun_close(struct logrun *l);
/* The place after what was given, as an event's id; nothing is written where
 * it would be too long. */
bool logrun_place(const struct logrun *l, struct buf *b);
