/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A log on its way out: of one attempt or of a whole run, as frames (NDJSON or
 * SSE) or as lines, all or the last, those with a word or all, to its present
 * end or until nothing can follow.  Each turn reads a bounded piece.
 */
#pragma once

#include "api/follow.h"
#include "api/grep.h"
#include "api/logrun.h"
#include "api/logtail.h"

enum logform {
	LOG_TEXT,
	LOG_NDJSON,
	LOG_SSE
};

/* What is wanted of it. */
struct logwish {
	enum logform form;
	bool follow;
	uint64_t tail; /* 0: all */
	struct grep grep;
};

struct logflow {
	struct follower f;
	struct api *api;
	struct logwish wish;
	char word[GREP_WORD_MAX];
	bool whole; /* a run's; else an attempt's */
	struct logrun run;
	struct logpart one;
	struct logtail tail;
	bool tailing; /* the tail was not said yet */
	bool gap, ended;
	char *data; /* one frame */
};

/* run and one: taken, the one that whole says. */
struct logflow *logflow_new(struct request *r, const struct logwish *wish,
			    bool whole, struct logrun *run,
			    struct logview *one);
/* Answers with the stream; takes l.  resumed: tail is of no account. */
int logflow_reply(struct request *r, struct logflow *l, bool resumed);
