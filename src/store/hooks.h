/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Webhooks of stored jobs and what was answered to their calls.  A hook is put
 * with its job and keeps its id over revisions; the number n is its own for
 * ever, also when it gets another id.
 */
#pragma once

#include "store/reader.h"

enum {
	STORE_DELIVERIES_MAX = 20000 /* about so many are kept of a hook */
};

struct store_hook {
	int64_t n;     /* made by the store */
	struct str id; /* what its URL ends in */
	struct str project, job, name;
	struct str scheme;
	struct str secret; /* canonical reference */
	int64_t created_us;
};
typedef int store_hook_fn(void *ctx, const struct store_hook *h, struct err *e);

/* Inside a transaction.  id and created_us count for a new name only. */
MUST_USE int store_hook_put(struct store *s, const struct store_hook *h,
			    struct err *e);
/* Forget those of a job that are not in the JSON list of names, and what was
 * answered to them. */
MUST_USE int store_hooks_keep(struct store *s, struct str project,
			      struct str job, struct str names, struct err *e);
/* Another id; ERR_NOT_FOUND. */
MUST_USE int store_hook_rotate(struct store *s, struct str project,
			       struct str job, struct str name, struct str id,
			       struct err *e);
/* 1 found, 0 not, -1 error; fn sees it. */
MUST_USE int store_read_hook(struct store_reader *r, struct str id,
			     store_hook_fn *fn, void *ctx, struct err *e);
MUST_USE int store_read_hooks(struct store_reader *r, struct str project,
			      struct str job, store_hook_fn *fn, void *ctx,
			      struct err *e);

/* What became of a call. */
struct store_delivery {
	int64_t id, hook;
	struct str delivery; /* the caller's own id for it */
	struct str event;    /* "": none */
	struct str outcome;  /* "run", "filtered", "ping", "rejected" */
	struct str run;      /* ULID; "" */
	struct str error;    /* of "rejected" */
	int64_t at_us;
};
typedef int store_delivery_fn(void *ctx, const struct store_delivery *d,
			      struct err *e);

MUST_USE int store_delivery_put(struct store *s, const struct store_delivery *d,
				struct err *e);
/* 1 found, 0 not, -1 error; fn (which may be NULL) sees it. */
MUST_USE int store_delivery_get(struct store *s, int64_t hook,
				struct str delivery, store_delivery_fn *fn,
				void *ctx, struct err *e);
MUST_USE int store_read_delivery(struct store_reader *r, int64_t hook,
				 struct str delivery, store_delivery_fn *fn,
				 void *ctx, struct err *e);
/* Newest first; before: an id, 0 from the newest. */
MUST_USE int store_read_deliveries(struct store_reader *r, int64_t hook,
				   int64_t before, uint32_t limit,
				   store_delivery_fn *fn, void *ctx,
				   struct err *e);
MUST_USE int store_deliveries_expire(struct store *s, int64_t before_us,
				     struct err *e);
