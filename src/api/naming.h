/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What names what among users, groups, roles, projects and jobs: nothing may
 * name what is not there.  Inside a transaction.
 */
#pragma once

#include "doc/doc.h"
#include "store/store.h"

/* 1: something names it (said in *refusal), 0: nothing, -1: the store failed.
 */
MUST_USE int naming_in_use(struct store *s, const char *kind, struct str name,
			   struct err *refusal, struct err *e);
/* 1: a member that the body names is not there (said in *refusal). */
MUST_USE int naming_members_exist(struct store *s, const char *kind,
				  const struct doc_node *root,
				  struct err *refusal, struct err *e);
