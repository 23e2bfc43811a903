/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Reading what a run is asked for with: a bare job, {"job": ..., "inputs":
 * ...}, multipart with a source, or only the inputs of a job that is stored.
 * Each of these answers when it returns -1.
 */
#pragma once

#include "api/request.h"
#include "base/hash.h"
#include "engine/engine.h"

struct doc;
struct doc_node;
struct job;

struct asked {
	struct job *job; /* owned */
	struct buf canonical, inputs, labels;
	int32_t priority; /* -1: not given */
	/* of a rerun */
	struct ulid rerun_of; /* all zero: none */
	enum engine_from from;
	struct buf task;    /* from this one on */
	char project[64];   /* of the run; "": the first parameter */
	struct hash source; /* of the earlier run; with bytes */
	uint64_t source_bytes;
	char commit[65]; /* of that source; "" */
};

void asked_init(struct asked *q);
void asked_done(struct asked *q);

typedef int asked_fn(struct request *r, struct asked *q, struct problems *ps);

/* The job comes with the request; the project is the first parameter. */
MUST_USE int asked_sent(struct request *r, struct asked *q,
			struct problems *ps);
/* The job is stored: project and name are the first parameters. */
MUST_USE int asked_stored(struct request *r, struct asked *q,
			  struct problems *ps);
/* {"from": "start|failed|task", "task"} of the run that is the first parameter.
 */
MUST_USE int asked_again(struct request *r, struct asked *q,
			 struct problems *ps);
/* The parts of these, for who is asked in another form.  Takes d; project: the
 * one that it has to be of, "" for any. */
MUST_USE int asked_take(struct request *r, struct doc *d, struct str project,
			struct asked *q, struct problems *ps);
MUST_USE int asked_find(struct request *r, struct str project, struct str name,
			struct asked *q, struct problems *ps);
/* A subtree as a document of its own; this one does not answer. */
MUST_USE int asked_detach(const struct doc_node *n, struct doc **ret,
			  struct problems *ps);
/* "The same body" is the same parts, not the same bytes. */
struct hash asked_hash(const struct request *r, const struct asked *q);
