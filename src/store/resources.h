/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Small things with a name that people make: projects, users, groups, roles.
 * The store knows nothing of their inside, which is canonical JSON.
 */
#pragma once

#include "store/reader.h"

struct store_resource {
	int64_t id; /* new with every change, never given twice */
	struct str kind, name;
	struct str body; /* JSON object */
	int64_t created_us, changed_us;
	struct str changed_by;
};
typedef int store_resource_fn(void *ctx, const struct store_resource *x,
			      struct err *e);

/* Inside a transaction.  changed_us is also created_us of a new one. */
MUST_USE int store_resource_put(struct store *s, const struct store_resource *x,
				struct err *e);
/* ERR_NOT_FOUND. */
MUST_USE int store_resource_delete(struct store *s, struct str kind,
				   struct str name, struct err *e);
MUST_USE int store_resource_get(struct store *s, struct str kind,
				struct str name, store_resource_fn *fn,
				void *ctx, struct err *e);
MUST_USE int store_resources(struct store *s, struct str kind,
			     store_resource_fn *fn, void *ctx, struct err *e);

MUST_USE int store_read_resource(struct store_reader *r, struct str kind,
				 struct str name, store_resource_fn *fn,
				 void *ctx, struct err *e);
/* Last changed first; before: an id, 0 from the newest.  limit 0: all. */
MUST_USE int store_read_resources(struct store_reader *r, struct str kind,
				  int64_t before, uint32_t limit,
				  store_resource_fn *fn, void *ctx,
				  struct err *e);

/* --- tokens ------------------------------------------------------------- */

struct store_token {
	int64_t id;
	struct ulid ulid;
	struct hash hash; /* SHA-256 of the token's text, which nobody has */
	struct str name, subject;
	uint8_t role;        /* enum role; the most that it gives */
	struct str projects; /* JSON list; "[]": all */
	int64_t created_us, expires_us, used_us; /* used 0: never */
	struct str created_by;
};
typedef int store_token_fn(void *ctx, const struct store_token *t,
			   struct err *e);

MUST_USE int store_token_add(struct store *s, const struct store_token *t,
			     struct err *e);
MUST_USE int store_token_used(struct store *s, struct str ulid, int64_t us,
			      struct err *e);
/* ERR_NOT_FOUND. */
MUST_USE int store_token_delete(struct store *s, struct str ulid,
				struct err *e);
/* All of a subject; fine without any. */
MUST_USE int store_tokens_delete(struct store *s, struct str subject,
				 struct err *e);
MUST_USE int store_token_get(struct store *s, struct str ulid,
			     store_token_fn *fn, void *ctx, struct err *e);
MUST_USE int store_read_token(struct store_reader *r, struct str ulid,
			      store_token_fn *fn, void *ctx, struct err *e);
/* Newest first; subject "": of all.  limit 0: all. */
MUST_USE int store_read_tokens(struct store_reader *r, struct str subject,
			       int64_t before, uint32_t limit,
			       store_token_fn *fn, void *ctx, struct err *e);
