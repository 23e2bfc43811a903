/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * `identity` of a task: tokens that say who it is.  In an attempt each is a
 * secret like any other, whose reference (secrets/ref.h) names whom it is for.
 */
#pragma once

#include "doc/doc.h"

enum {
	IDENTITIES_MAX = 8, /* of a task */
};
#define IDENTITY_TTL_US     ((uint64_t)300 * 1000000)
#define IDENTITY_TTL_MIN_US ((uint64_t)30 * 1000000)
#define IDENTITY_TTL_MAX_US ((uint64_t)600 * 1000000)

/* The reference of an entry that was checked, appended to b. */
void job_identity_ref(const struct doc_node *entry, struct buf *b);
/* Is it one?  Then whom it is for is appended to b, as policy sees it. */
bool job_identity_audience(struct str ref, struct buf *b);
