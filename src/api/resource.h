/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What a project, user, group or role may say: one table.  Pure.
 */
#pragma once

#include "doc/doc.h"

enum {
	RESOURCE_BODY_MAX = 64 * 1024,
	RESOURCE_LIST_MAX = 1000
};

/*
 * Check what was sent for a kind; problems have places.  Fields that answers
 * add (name, created_at, ...) are allowed, so that what was got can be put.
 */
bool resource_check(const char *kind, const struct doc_node *root,
		    struct problems *ps);
/* "oidc:PROVIDER:SUBJECT", somebody whom this server only hears of. */
bool resource_is_foreign(struct str s);
/* Its own fields as canonical JSON. */
MUST_USE int resource_body(const char *kind, const struct doc_node *root,
			   struct buf *b, struct err *e);
