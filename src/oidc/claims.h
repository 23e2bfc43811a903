/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* From the claims of a checked token to who that is here, and what it may: as
 * the provider's settings say.  Pure. */
#pragma once

#include "access/logins.h"
#include "config/config.h"
#include "oidc/jwt.h"

/* What jwt_check() wants of the provider's tokens; audiences are borrowed. */
struct jwt_rules claims_rules(const struct config_oidc *p);

/*
 * Is the claim like this?  claim: a key, or a JSON pointer with its slash; a
 * list is like it where one entry is.  In the pattern * stands for anything
 * without a slash, ** for anything.
 */
bool claims_like(const struct doc_node *claims, struct str claim,
		 struct str pattern);

/*
 * The login that the token is.  *ret borrows from a, p and t; its hash is the
 * caller's to set.  Errors read on from "the token ...".
 */
MUST_USE int claims_login(const struct config_oidc *p, const struct jwt *t,
			  const struct access *set, struct arena *a,
			  struct login *ret, struct err *e);
