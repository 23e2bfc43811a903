/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Who is known, as it stands: a snapshot of what the store says, made anew
 * after each change of it.  In the loop's thread only.
 */
#pragma once

#include "access/access.h"
#include "access/logins.h"
#include "api/request.h"

struct identity {
	struct access *set;
	struct logins *logins; /* tokens of providers, beside it */
	uint64_t generation;   /* grows with every new snapshot */
	int64_t written_us;    /* when last uses were last written down */
};

MUST_USE int identity_load(struct api *a, struct err *e);
/* After a change: what cannot be loaded leaves nobody but the owner. */
void identity_reload(struct api *a);
/* Logins of a provider ("": of all) are none any more, with their streams. */
void identity_drop(struct api *a, struct str provider);
void identity_free(struct identity *i);
/* When the next token or login runs out, streams look whether they still may. */
void identity_arm(struct api *a);
/* Now and then: tokens' last uses go into the store. */
void identity_beat(struct api *a);
