/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A source tree on its way in: decompress, check, store as a plain tar. */
#pragma once

#include "base/err.h"
#include "base/hash.h"

struct source;

MUST_USE int source_begin(int state_fd, uint64_t max_files, uint64_t max_bytes,
			  struct source **ret, struct err *e);
/* gzip and zstd are known by their first bytes.  ERR_INVALID names the entry. */
MUST_USE int source_feed(struct source *s, const void *p, size_t len,
			 struct err *e);
/* Frees s either way. */
MUST_USE int source_end(struct source *s, struct hash *ret, uint64_t *ret_bytes,
			struct err *e);
void source_abort(struct source *s); /* NULL is fine */
