/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Who is known, from the store's rows: one way for the http thread, which reads
 * for its snapshot, and for the engine's, which decides about calls.  What
 * cannot be read gives nobody anything.
 */
#pragma once

#include "access/access.h"
#include "store/resources.h"

/* All of a kind: store_resources() or store_read_resources(). */
typedef int who_each_fn(void *from, struct str kind, store_resource_fn *fn,
			void *ctx, struct err *e);

/* Users, groups and roles. */
MUST_USE int who_load(struct access *set, who_each_fn *each, void *from,
		      struct err *e);
/* A store_token_fn; ctx is the set. */
int who_token(void *ctx, const struct store_token *t, struct err *e);
