/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Idempotency-Key for whatever a POST makes: the answer is kept beside what was
 * made, in the same transaction, for 24 h.  The same key and the same parsed
 * body get it again; another body is a 422; one under way a 409.  (Runs are
 * kept by the engine, which shows them as they stand: see asked.h.)
 */
#pragma once

#include "api/request.h"
#include "engine/engine.h"

/* Is one with this key under way?  -1: then it was answered. */
MUST_USE int once_enter(struct request *r);
/* Its outcome is durable, or it is over. */
void once_leave(struct request *r);

/* engine_edit() with the request as ctx; edit calls once_keep() where it has
 * made something.  done is called for what was not said before.  Answers when
 * it cannot be asked; returns 0. */
int once_edit(struct request *r, struct str action, struct str what,
	      engine_edit_fn *edit, engine_reply_fn *done);
/* Within edit: the answer that a repetition gets; without a body done() makes
 * it again, of what the request names.  Of a route whose answer holds a secret
 * the body is not kept, and a repetition is a 409. */
MUST_USE int once_keep(struct request *r, struct store *s, unsigned status,
		       const char *location, const char *etag, struct str body,
		       struct err *e);
void once_free(struct once *o); /* NULL is fine */
/* Does a failed reply say that a key came with another body? */
bool once_mismatch(const struct err *e);
