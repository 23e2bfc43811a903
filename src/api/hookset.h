/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The webhooks of a job as they are stored and shown. */
#pragma once

#include "api/request.h"
#include "job/job.h"
#include "store/hooks.h"

enum {
	HOOK_BYTES = 20, /* random ones of an id: nobody guesses it */
	HOOK_ID_LEN = 2 * HOOK_BYTES
};

/* What a job says; text of its own. */
struct hookset {
	struct {
		char name[JOB_NAME_MAX + 1];
		const char *scheme;
		char secret[256];
	} hooks[JOB_HOOKS_MAX];
	size_t n;
};

MUST_USE int hookset_read(const struct job *j, struct hookset *ret,
			  struct err *e);
/* In the transaction that stores the job: new ones get an id, those that are
 * not in it any more are forgotten. */
MUST_USE int hookset_store(const struct hookset *set, struct store *s,
			   struct str project, struct str job, int64_t now_us,
			   struct err *e);
void hookset_new_id(char ret[HOOK_ID_LEN + 1]);
/* A job's as a JSON list of {"name","scheme","url"}; appended.  The request is
 * who asks: a URL is a path as its proxy shows it. */
MUST_USE int hookset_view(const struct request *r, struct str project,
			  struct str job, struct buf *b, struct err *e);
/* One as {"name","scheme","url","created_at","last_delivery"}. */
MUST_USE int hookset_view_one(const struct request *r,
			      const struct store_hook *h, struct buf *b,
			      struct err *e);
void hookset_view_delivery(const struct store_delivery *d, struct buf *b);
