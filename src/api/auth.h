/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Who asks, and may they: one function, called before any handler. */
#pragma once

#include "api/request.h"

/* What the server knows about logins; part of the api. */
struct auth {
	unsigned char token_hash[32];
	bool has_token;
	uint32_t owner_uid;
};

/* 0: go on, r->who is set.  -1: answered with 400, 401 or 403. */
MUST_USE int auth_check(struct request *r);
