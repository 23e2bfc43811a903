/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Content codings, piece by piece: gzip and zstd with windows that are small,
 * so that a hundred at once cost little.
 */
#pragma once

#include "api/negotiate.h"
#include "base/buf.h"

enum squeeze_flush {
	SQUEEZE_MORE,  /* more comes soon: what is ready may wait */
	SQUEEZE_FLUSH, /* all that was put in comes out now */
	SQUEEZE_END
};

struct squeeze;

/* NULL where there is no memory for it. */
struct squeeze *squeeze_new(enum coding coding);
void squeeze_free(struct squeeze *s); /* NULL is fine */
/* Append to out what comes of it; -1 when out is full. */
MUST_USE int squeeze_put(struct squeeze *s, struct str in,
			 enum squeeze_flush flush, struct buf *out);
