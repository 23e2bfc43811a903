/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Bytes that leave an attempt as a file (an artifact, a cache): is one of its
 * secrets in them, or in what is packed in them?
 */
#pragma once

#include "runner/mask.h"
#include "unpack/unpack.h"

struct look {
	struct mask *mask; /* NULL: nothing is looked for */
	struct redact_watch *raw, *packed[UNPACK_DEPTH];
	struct unpack *unpack;
	int secret; /* what was found: its number in the task; -1: nothing */
};

/* mask: borrowed; NULL when the file may hold a secret. */
void look_begin(struct look *l, struct mask *mask);
void look_done(struct look *l);
/* What is packed is not looked for any more. */
void look_only_raw(struct look *l);
/* Returns 0, or 1 when there is a secret: see l->secret.  Fails with ERR_LIMIT
 * when more is packed in the bytes than can be looked through. */
MUST_USE int look_write(struct look *l, const void *p, size_t len,
			struct err *e);
